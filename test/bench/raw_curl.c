/*-------------------------------------------------------------------------
 *
 * raw_curl.c
 *		How many POST requests a second curl's multi interface makes.
 *
 * The ceiling that "make bench" measures the worker against: no database, no
 * JSON, one process, as many requests in flight as asked for, on kept-alive
 * connections.
 *
 *		raw_curl URL REQUESTS IN_FLIGHT
 *
 * prints requests a second.
 *
 * IDENTIFICATION
 *		test/bench/raw_curl.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

#define BODY	"{\"value\":\"bench\"}"

static long started = 0;
static long failed = 0;

static size_t
discard(char *data, size_t size, size_t n, void *arg)
{
	return size * n;
}

static CURL *
make_handle(const char *url, struct curl_slist *headers)
{
	CURL	   *curl = curl_easy_init();

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, BODY);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard);
	return curl;
}

int
main(int argc, char **argv)
{
	long		requests;
	long		in_flight;
	int			running;
	struct curl_slist *headers;
	struct timespec begin;
	struct timespec end;
	CURLM	   *multi;

	if (argc != 4)
	{
		fprintf(stderr, "usage: raw_curl URL REQUESTS IN_FLIGHT\n");
		return 2;
	}
	requests = atol(argv[2]);
	in_flight = atol(argv[3]);
	curl_global_init(CURL_GLOBAL_ALL);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, in_flight);
	headers = curl_slist_append(NULL, "Content-Type: application/json");

	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (; started < in_flight && started < requests; started++)
		curl_multi_add_handle(multi, make_handle(argv[1], headers));
	do
	{
		CURLMsg    *msg;
		int			left;

		curl_multi_perform(multi, &running);
		while ((msg = curl_multi_info_read(multi, &left)) != NULL)
		{
			CURL	   *curl = msg->easy_handle;
			long		status = 0;

			curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
			if (msg->data.result != CURLE_OK || status != 200)
				failed++;
			curl_multi_remove_handle(multi, curl);
			if (started < requests)
			{
				started++;
				running++;
				curl_multi_add_handle(multi, curl);
			}
			else
				curl_easy_cleanup(curl);
		}
		if (running)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	} while (running);
	clock_gettime(CLOCK_MONOTONIC, &end);

	if (failed > 0)
	{
		fprintf(stderr, "raw_curl: %ld of %ld requests failed\n", failed, requests);
		return 1;
	}
	printf("%.0f\n", requests / ((end.tv_sec - begin.tv_sec) +
							  (end.tv_nsec - begin.tv_nsec) / 1e9));
	return 0;
}
