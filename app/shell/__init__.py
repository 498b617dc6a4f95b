"""What is around every page: navigation, frame, errors, the look."""
