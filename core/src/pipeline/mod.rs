//! Steps between the seams that know no vendor and touch nothing outside: what a dry run and a delivery share.

pub mod batch;
