//! `prompt`: what a model is told, for people.

use super::style::Ink;
use super::{Style, printable};
use crate::prompt::{Message, Role};

/// Message by message, then how long they are together.
pub fn prompt_text(messages: &[Message], style: Style) -> String {
    let told: String = messages.iter().map(|message| one(message, style)).collect();
    let chars: usize = messages.iter().map(|message| message.content.chars().count()).sum();
    format!("{told}{chars} characters, about {} tokens\n", chars / 4)
}

fn one(message: &Message, style: Style) -> String {
    let who = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let lines = message.content.lines().map(|line| printable(line) + "\n");
    format!("{}\n{}\n", style.paint(Ink::Bold, &format!("===== {who}")), lines.collect::<String>())
}
