"""Files to crops: reading, listing, layouts of public sets, cache, checks; needs no Paddle."""
