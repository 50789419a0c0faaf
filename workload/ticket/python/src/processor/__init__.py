"""ticket-processor as seen from Python. The program itself is C++."""
