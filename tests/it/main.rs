//! What a hive promises its users, tried on the real daemon from outside.

mod files;
