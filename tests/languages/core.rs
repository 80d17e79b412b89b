// SPDX-License-Identifier: LGPL-2.1-or-later
// Rust without its library.
#![no_std]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

// What its parts that can panic refer to.
#[no_mangle]
pub extern "C" fn rust_eh_personality() {}

#[no_mangle]
pub extern "C" fn rust_sum() -> usize {
    let numbers = [5usize, 3, 9, 1];
    let mut sorted = numbers;
    sorted.sort_unstable();
    sorted.iter().enumerate().map(|(place, number)| (place + 1) * number).sum()
}
