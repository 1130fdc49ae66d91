/* A library with variables of each thread's own, one set and one zero; dlopen_tls loads it. */
static __thread int counter = 1000;
static __thread int more[100];

int tls_count(int by);

int tls_count(int by)
{
	more[99] += by;
	counter += by;
	return counter + more[99];
}
