// std::thread and its company: mutexes, condition variables, thread_local, exceptions in threads.
#include "guest.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{
constexpr int thread_count = 20;

std::mutex mutex;
std::atomic<int> destroyed{0}, caught{0}, unwound{0};

struct Counter {
	int value = 5;
	~Counter()
	{
		destroyed += value;
	}
};

thread_local Counter counter;

struct Unwound {
	~Unwound()
	{
		unwound++;
	}
};

void throw_deeply(int depth)
{
	Unwound unwound_here;

	if (depth > 0)
		throw_deeply(depth - 1);
	std::this_thread::sleep_for(std::chrono::microseconds(100));
	throw std::runtime_error("deep");
}

void catch_while_others_do(int number)
{
	counter.value += number;
	for (int i = 0; i < 5; i++) {
		try {
			throw_deeply(3);
		} catch (const std::runtime_error &error) {
			std::this_thread::yield();
			if (std::string(error.what()) == "deep")
				caught++;
		}
	}
}

void pass_queue()
{
	std::condition_variable changed;
	std::deque<int> queue;
	long sum = 0;
	std::thread consumer([&] {
		for (int i = 0; i < 1000; i++) {
			std::unique_lock<std::mutex> lock(mutex);
			changed.wait(lock, [&] { return !queue.empty(); });
			sum += queue.front() * (i + 1L);
			queue.pop_front();
		}
	});

	for (int i = 0; i < 1000; i++) {
		std::lock_guard<std::mutex> lock(mutex);
		queue.push_back(i);
		changed.notify_one();
	}
	consumer.join();
	say("queue: %ld", sum);
}

void wait_in_vain()
{
	std::condition_variable_any never;
	std::timed_mutex timed;
	std::shared_timed_mutex shared;
	std::unique_lock<std::mutex> lock(mutex);
	auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(10);

	say("wait_until: %s",
	    never.wait_until(lock, until) == std::cv_status::timeout ? "timeout" : "no timeout");
	say("not early: %d", std::chrono::steady_clock::now() >= until);
	timed.lock();
	shared.lock_shared();
	std::thread([&] {
		say("try_lock_for: %d", timed.try_lock_for(std::chrono::milliseconds(5)));
		say("try_lock_shared: %d", shared.try_lock_shared());
		shared.unlock_shared();
		say("shared try_lock_for: %d", shared.try_lock_for(std::chrono::milliseconds(5)));
	}).join();
	timed.unlock();
	shared.unlock_shared();
}
} // namespace

int main()
{
	std::vector<std::thread> threads;
	std::once_flag once;
	int calls = 0;

	for (int i = 0; i < thread_count; i++)
		threads.emplace_back([&, i] {
			std::call_once(once, [&] { calls++; });
			catch_while_others_do(i);
		});
	for (auto &thread : threads)
		thread.join();
	say("caught %d, unwound %d, thread_local destroyed %d, called once %d", caught.load(),
	    unwound.load(), destroyed.load(), calls);
	try {
		std::thread().join();
	} catch (const std::system_error &error) {
		say("joining no thread: %s", strerrorname_np(error.code().value()));
	}
	pass_queue();
	wait_in_vain();
	return 0;
}
