//! x

pub mod shop;
