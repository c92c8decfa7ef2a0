//! Resources of the source: customers, carts, orders, products, categories, payments, with and without a hint.
#![no_main]

use cartwire_fuzz::{HINTS, decodes, goes_through};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    decodes(data, None);
    // The hint moves with the input, so that all are reached at the price of one.
    decodes(data, Some(HINTS[data.len() % HINTS.len()]));
    goes_through(data);
});
