"""What the commands of ./wushe do: one module for each thought."""
