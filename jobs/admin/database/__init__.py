"""What headrace asks the database whose changes it follows."""
