// SPDX-License-Identifier: LGPL-2.1-or-later
// Rust with its library: texts and tables on the heap, a panic that is caught, threads, and
// thread-local variables with destructors.  work() aborts unless all is right.
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Counter(usize);

impl Drop for Counter {
    fn drop(&mut self) {
        DROPPED.fetch_add(self.0, Ordering::SeqCst);
    }
}

thread_local! {
    static COUNTER: RefCell<Counter> = RefCell::new(Counter(0));
}

fn count_words(text: &str) -> HashMap<String, usize> {
    let mut words = HashMap::new();
    for word in text.split_whitespace() {
        *words.entry(word.to_string()).or_insert(0) += 1;
    }
    words
}

fn panics(number: usize) -> usize {
    let caught = std::panic::catch_unwind(|| {
        if number > 1 {
            std::panic::panic_any(number);
        }
        0
    });
    *caught.unwrap_err().downcast::<usize>().unwrap()
}

fn threads() -> usize {
    let before = DROPPED.load(Ordering::SeqCst);
    let threads: Vec<_> = (1..4)
        .map(|number| {
            std::thread::spawn(move || COUNTER.with(|counter| counter.borrow_mut().0 += number))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    DROPPED.load(Ordering::SeqCst) - before
}

#[no_mangle]
pub extern "C" fn rust_sum() -> usize {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock().unwrap();
    let words = count_words("to be or not to be");
    std::panic::set_hook(Box::new(|_| {}));
    let sum = words["be"] * 1000 + panics(7) * 100 + threads();
    drop(std::panic::take_hook());
    sum
}
