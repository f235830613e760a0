//! What a document should have: the shapes of a language's tables.
//!
//! The reader walks a document by them, and the JSON Schemas are made from them, so that what an
//! editor advises is what the reader accepts.

mod json_schema;
mod reader;
mod shape;

pub use self::json_schema::json_schema;
pub use self::reader::{Placed, Reader, Table, read};
pub use self::shape::{Case, Cases, Form, Key, KeyKind, Keys, List, Rule, Shape, TOP};
