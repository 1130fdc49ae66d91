// thread_local objects: made at first use, destroyed in reverse at a thread's end, before its keys.
#include <pthread.h>

#include <cstdio>
#include <string>
#include <thread>
#include <unistd.h>

static std::string log_of_thread;

struct Named {
	const char *name;

	explicit Named(const char *n) : name(n)
	{
		log_of_thread += std::string(" +") + name;
	}
	~Named()
	{
		usleep(1000);
		log_of_thread += std::string(" -") + name;
	}
};

static pthread_key_t key;

static void destroy_key(void *)
{
	log_of_thread += " key";
}

static Named &late()
{
	static thread_local Named object("late");

	return object;
}

struct Maker {
	~Maker()
	{
		// An object made while others are destroyed is destroyed, too.
		log_of_thread += " maker";
		late();
	}
};

static void first_then_second()
{
	static thread_local Named first("first");
	static thread_local Named second("second");

	pthread_setspecific(key, &first);
	log_of_thread += " body";
}

static void made_at_the_end()
{
	static thread_local Maker maker;

	first_then_second();
	(void)&maker;
}

static void *by_exit(void *)
{
	Named local("local");

	first_then_second();
	pthread_exit(nullptr);
}

static void tell(const char *what)
{
	std::printf("%s:%s\n", what, log_of_thread.c_str());
	std::fflush(stdout);
	log_of_thread.clear();
}

int main()
{
	pthread_t thread;

	pthread_key_create(&key, destroy_key);
	std::thread(first_then_second).join();
	tell("returned");
	std::thread(made_at_the_end).join();
	tell("made at the end");
	if (pthread_create(&thread, nullptr, by_exit, nullptr) != 0)
		return 1;
	pthread_join(thread, nullptr);
	tell("pthread_exit");
	first_then_second();
	tell("main");
	return 0;
}
