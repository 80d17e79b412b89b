/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shapes of types that only C++ has. */
namespace space
{
enum class colour : unsigned char { red, green };
template <class T> struct box {
	T value;
};
} // namespace space

struct base {
	virtual ~base();
	virtual int one(int);
#ifdef TURNED
	virtual int three(int);
	virtual int two(int);
#else
	virtual int two(int);
	virtual int three(int);
#endif
	long number;
	static int counter;
};

class derived : public base
{
      public:
	int one(int) override;
	int take(const space::box<int> &box, space::colour) const;

      private:
	int own;
};

/* Where these are a compiler tells of the classes. */
base::~base()
{
}

int derived::one(int number)
{
	return number;
}

int derived::take(const space::box<int> &box, space::colour) const
{
	return own + box.value;
}

namespace space
{
int add(derived *object, int &&number, box<char> box, decltype(nullptr), int base::*, char16_t)
{
	return object->take({ 1 }, colour::red) + number + box.value;
}
} // namespace space
