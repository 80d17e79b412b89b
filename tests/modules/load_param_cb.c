/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parameters with operations of the module's own: a point "X:Y", and one that takes no value. */
#include <permod/module.h>

#include <stdio.h>
#include <string.h>

void note(const char *words);

struct point {
	int x, y;
};

struct point point = { 1, 2 };
int switched;

static int set_point(const char *value, const struct kernel_param *param)
{
	struct point *variable = param->arg;

	note("set");
	if (strcmp(param->name, "point") != 0)
		return -ENXIO;
	return sscanf(value, "%d:%d", &variable->x, &variable->y) == 2 ? 0 : -EDOM;
}

static int get_point(char *buffer, const struct kernel_param *param)
{
	const struct point *variable = param->arg;

	return snprintf(buffer, PERMOD_PARAM_TEXT, "%d:%d", variable->x, variable->y);
}

static void free_point(void *arg)
{
	note(arg == &point ? "free" : "wrong");
}

static const struct kernel_param_ops point_ops = { 0, set_point, get_point, free_point };
module_param_cb(point, &point_ops, &point, 0444);

static int set_switch(const char *value, const struct kernel_param *param)
{
	*(int *)param->arg = value ? 2 : 1;
	return 0;
}

static const struct kernel_param_ops switch_ops = { KERNEL_PARAM_OPS_FL_NOARG, set_switch, NULL,
						    NULL };
module_param_cb(switched, &switch_ops, &switched, 0444);

static int __init param_cb_init(void)
{
	note("init");
	return 0;
}
module_init(param_cb_init);

static void __exit param_cb_exit(void)
{
	note("exit");
}
module_exit(param_cb_exit);

MODULE_LICENSE("GPL");
