// größer 🦀
