//! The one integration binary: everything that can be seen from outside.
