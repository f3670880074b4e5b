"""The commands: a module each, with the parser of its options and ``main``; none imports Paddle before it runs."""
