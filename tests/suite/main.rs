//! What the program promises, one file for each behaviour.

mod independent_tools;
