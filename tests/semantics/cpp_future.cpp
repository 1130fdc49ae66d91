// std::async, future, promise, packaged_task: values and exceptions carried between threads.
#include "guest.h"

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static long fibonacci(int n)
{
	if (n < 2)
		return n;
	if (n < 10)
		return fibonacci(n - 1) + fibonacci(n - 2);

	auto left = std::async(std::launch::async, fibonacci, n - 1);
	long right = fibonacci(n - 2);

	return left.get() + right;
}

int main()
{
	say("fibonacci with a thread per branch: %ld", fibonacci(16));

	auto failing = std::async(std::launch::async, [] {
		std::this_thread::sleep_for(1ms);
		throw std::out_of_range("too far");
		return 1;
	});
	try {
		failing.get();
	} catch (const std::out_of_range &error) {
		say("exception carried over: %s", error.what());
	}

	std::promise<int> promise;
	auto future = promise.get_future().share();
	std::vector<std::future<int>> readers;
	for (int i = 0; i < 10; i++)
		readers.push_back(std::async(std::launch::async, [=] { return future.get() + i; }));
	say("not ready: %d", future.wait_for(5ms) == std::future_status::timeout);
	promise.set_value(100);
	long sum = 0;
	for (auto &reader : readers)
		sum += reader.get();
	say("sum over shared readers: %ld", sum);

	std::packaged_task<int(int)> task([](int n) { return n * n; });
	auto square = task.get_future();
	std::thread(std::move(task), 12).join();
	say("square: %d", square.get());

	std::future<int> orphan;
	{
		std::promise<int> broken;
		orphan = broken.get_future();
	}
	try {
		orphan.get();
	} catch (const std::future_error &error) {
		say("broken promise: %d", error.code() == std::future_errc::broken_promise);
	}

	std::promise<int> late;
	auto at_exit = late.get_future();
	std::thread([&] { late.set_value_at_thread_exit(3); }).join();
	say("value at thread exit: %d", at_exit.get());
	return 0;
}
