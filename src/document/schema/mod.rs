//! Shapes of the tables of a language, and the reader that checks a document against them.
//!
//! The JSON Schemas are made from the same shapes, so that editors suggest exactly what the reader
//! accepts.

mod json_schema;
mod reader;
mod shape;

pub use self::json_schema::json_schema;
pub use self::reader::{Placed, Reader, Table, ValueOrTable, read};
pub use self::shape::{Case, Cases, Form, Key, KeyKind, Keys, List, Rule, Shape, TOP};
