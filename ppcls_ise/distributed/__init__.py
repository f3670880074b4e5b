"""What the processes of one training say to each other."""
