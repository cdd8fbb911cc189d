//! What an editor asks while a pipeline file is written: findings, completion, hover, definitions, fixes, symbols.
//! Pure but for [`serve`]: each answer is a function of texts and of what was known of the last text that could be read.

pub mod analysis;
pub mod completion;
pub mod definition;
pub mod desk;
pub mod disk;
pub mod fixes;
pub mod hover;
pub mod page;
pub mod position;
pub mod server;
pub mod sketch;
pub mod symbols;

mod expression;
mod grammar;
mod protocol;
mod scan;
mod template;
mod vocabulary;
mod wire;

#[cfg(test)]
mod tests;

pub use server::{End, Neighbours, serve};
