/* plain.c - a program that asks nobody for secrets: ends with status 5. */
int main(void) { return 5; }
