// Exceptions in flight, caught and thrown again while other connections have the stack in between.
#include "serve.h"

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#define CLIENTS 40

namespace
{

std::string read_word(int fd)
{
	char line[64];

	if (!read_line(fd, line, sizeof(line)))
		throw std::runtime_error("no line any more");
	return line;
}

// Says in what order it is destroyed, and lets others run meanwhile.
class Noted
{
      public:
	Noted(std::string &notes, char name) : notes_(notes), name_(name)
	{
	}
	~Noted()
	{
		usleep(1000);
		notes_ += name_;
		exceptions_ = std::uncaught_exceptions();
		notes_ += static_cast<char>('0' + exceptions_);
	}

      private:
	std::string &notes_;
	char name_;
	int exceptions_ = 0;
};

void throw_deep(std::string &notes, int depth, int number)
{
	Noted noted(notes, static_cast<char>('a' + depth));

	if (depth == 0)
		throw number;
	throw_deep(notes, depth - 1, number);
}

// The caught one is still there after waits, and after another was thrown and caught inside.
std::string catch_and_wait(int fd, int number)
{
	std::string notes;

	try {
		throw_deep(notes, number % 5, number);
	} catch (int caught) {
		std::string word = read_word(fd); // others throw meanwhile

		try {
			throw std::logic_error(word);
		} catch (const std::exception &inner) {
			usleep(1000);
			notes += std::string(" ") + inner.what();
		}
		try {
			throw;
		} catch (int again) {
			usleep(1000);
			check(again == caught && caught == number);
		}
		check(std::uncaught_exceptions() == 0);
	}
	return notes;
}

// Kept, and thrown again when others have thrown theirs.
std::string keep_and_throw(int number)
{
	std::exception_ptr kept;

	try {
		throw std::out_of_range("number " + std::to_string(number));
	} catch (...) {
		usleep(1000);
		kept = std::current_exception();
	}
	usleep(1000);
	try {
		std::rethrow_exception(kept);
	} catch (const std::out_of_range &error) {
		usleep(1000);
		return error.what();
	}
	return "nothing thrown";
}

void serve(int fd)
{
	std::vector<std::unique_ptr<std::string>> words;
	int number;

	begin_service();
	words.push_back(std::make_unique<std::string>(read_word(fd)));
	if (*words.front() == "end") {
		check_end();
		exit(0);
	}
	number = atoi(words.front()->c_str());
	words.push_back(std::make_unique<std::string>(catch_and_wait(fd, number)));
	words.push_back(std::make_unique<std::string>(keep_and_throw(number)));
	for (const auto &word : words)
		answer(fd, "%s|", word->c_str());
	try {
		for (;;)
			words.push_back(std::make_unique<std::string>(read_word(fd)));
	} catch (const std::runtime_error &error) {
		answer(fd, "%s after %zu", error.what(), words.size());
	}
	end_service();
}

void make(char *text, int i)
{
	sprintf(text, "%d\nword%d\nrest\nrest\n", i, i);
}

void judge(const char *heard, int i)
{
	(void)i;
	say("%s", heard);
}

void drive()
{
	say_and_hear(CLIENTS, make, judge);
	end_server();
}

} // namespace

int main()
{
	int listener = begin_server(drive);

	for (;;) {
		int fd = accept_one(listener);

		serve(fd);
		close(fd);
	}
}
