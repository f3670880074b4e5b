"""The search service: FastAPI in front of a gallery, and one page."""
