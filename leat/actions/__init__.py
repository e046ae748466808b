"""Acts on the systems: plans what is to be done, has it approved, sends it once, and confirms it by reading again."""
