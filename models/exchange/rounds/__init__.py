"""City-wide rounds: everybody's needs planned at once, and proposed; nothing is promised before somebody accepts."""
