// An exception that leaves its thread ends the program by SIGABRT.
#include "guest.h"

#include <exception>
#include <stdexcept>
#include <thread>

int main()
{
	std::set_terminate([] {
		say("terminate called");
		std::abort();
	});
	std::thread([] { throw std::runtime_error("nobody catches this"); }).join();
	say("not reached");
	return 0;
}
