// C++20: counting_semaphore, latch, barrier, jthread with stop_token, waiting on an atomic.
#include "guest.h"

#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <semaphore>
#include <stop_token>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static void limit_by_semaphore()
{
	std::counting_semaphore<3> places(3);
	std::atomic<int> inside{0}, most{0};
	std::vector<std::jthread> threads;

	for (int i = 0; i < 20; i++)
		threads.emplace_back([&] {
			places.acquire();
			int now = ++inside, seen = most;
			while (now > seen && !most.compare_exchange_weak(seen, now))
				;
			std::this_thread::sleep_for(1ms);
			--inside;
			places.release();
		});
	threads.clear();
	say("never more than three inside: %d", most <= 3);

	std::binary_semaphore none(0);
	say("try_acquire_for: %d", none.try_acquire_for(5ms));
}

static void count_down_latch()
{
	std::latch ready(10);
	std::atomic<int> arrived{0};
	std::vector<std::jthread> threads;

	for (int i = 0; i < 10; i++)
		threads.emplace_back([&] {
			arrived++;
			ready.count_down();
		});
	ready.wait();
	say("arrived when the latch opened: %d", arrived.load());
}

static void meet_at_barrier()
{
	int phases = 0;
	auto at_end = [&]() noexcept { phases++; };
	std::barrier meeting(5, at_end);
	std::vector<std::jthread> threads;

	for (int i = 0; i < 5; i++)
		threads.emplace_back([&] {
			for (int j = 0; j < 20; j++)
				meeting.arrive_and_wait();
		});
	threads.clear();
	say("phases: %d", phases);
}

static void stop_politely()
{
	std::mutex mutex;
	std::condition_variable_any never;
	bool stopped = false;

	{
		std::jthread thread([&](std::stop_token token) {
			std::unique_lock<std::mutex> lock(mutex);
			never.wait(lock, token, [] { return false; });
			stopped = token.stop_requested();
		});
	}
	say("stopped on request: %d", stopped);
}

static void wait_on_atomics()
{
	std::atomic<int> turn{0};
	std::jthread other([&] {
		for (int i = 0; i < 500; i++) {
			turn.wait(2 * i);
			turn++;
			turn.notify_one();
		}
	});

	for (int i = 0; i < 500; i++) {
		turn++;
		turn.notify_one();
		turn.wait(2 * i + 1);
	}
	say("turns: %d", turn.load());
}

int main()
{
	limit_by_semaphore();
	count_down_latch();
	meet_at_barrier();
	stop_politely();
	wait_on_atomics();
	return 0;
}
