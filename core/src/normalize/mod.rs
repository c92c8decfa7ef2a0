//! From messy to canonical: small pure functions that several sources share. Total: none of them fails or panics, what
//! cannot be brought into form is `None`.

pub mod contact;
pub mod line_items;
pub mod text;
pub mod time;
