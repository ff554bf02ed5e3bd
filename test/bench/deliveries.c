/*-------------------------------------------------------------------------
 *
 * deliveries.c
 *		Send deliveries of webhooks as Zendesk does, each of its own event and
 *		signed, on connections that are kept.
 *
 *		deliveries URL CA SECRET DELIVERIES CONNECTIONS RATE
 *
 * RATE is how many a second are due; 0: each connection sends the next when it
 * has the answer.  The time of a delivery counts from when it was due.  Prints
 * deliveries a second, the 50th, 95th and 99th percentile of the milliseconds
 * until they were answered, and its own seconds of CPU.
 *
 * IDENTIFICATION
 *		test/bench/deliveries.c
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define RECORDS	5000

typedef struct Connection
{
	CURL	   *curl;
	struct curl_slist *headers;
	char		body[600];
	double		due;
} Connection;

static const char *url;
static const char *ca;
static const char *secret;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static size_t
discard(char *data, size_t size, size_t n, void *arg)
{
	return size * n;
}

/* The body and the headers of the delivery of that number. */
static void
prepare(Connection *c, long number)
{
	char		when[32];
	char		text[700];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned char base64[2 * EVP_MAX_MD_SIZE];
	unsigned int digest_length;
	time_t		t = time(NULL);

	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&t));
	snprintf(c->body, sizeof(c->body),
			 "{\"type\":\"zen:event-type:ticket.status_changed\",\"account_id\":1,\"id\":\"event-%ld-%ld-%ld\",\"time\":\"%s\","
			 "\"zendesk_event_version\":\"2022-11-06\",\"subject\":\"zen:ticket:%ld\",\"detail\":{\"id\":\"%ld\",\"status\":\"OPEN\"},"
			 "\"event\":{\"current\":\"OPEN\",\"previous\":\"NEW\"}}",
			 (long) getpid(), (long) t, number, when, 1 + number % RECORDS, 1 + number % RECORDS);
	snprintf(text, sizeof(text), "%s%s", when, c->body);
	HMAC(EVP_sha256(), secret, strlen(secret), (unsigned char *) text, strlen(text), digest, &digest_length);
	EVP_EncodeBlock(base64, digest, digest_length);

	curl_slist_free_all(c->headers);
	c->headers = curl_slist_append(NULL, "Content-Type: application/json");
	c->headers = curl_slist_append(c->headers, "X-Zendesk-Webhook-Id: webhook-1");
	snprintf(text, sizeof(text), "X-Zendesk-Webhook-Invocation-Id: invocation-%ld-%ld", (long) t, number);
	c->headers = curl_slist_append(c->headers, text);
	snprintf(text, sizeof(text), "X-Zendesk-Webhook-Signature-Timestamp: %s", when);
	c->headers = curl_slist_append(c->headers, text);
	snprintf(text, sizeof(text), "X-Zendesk-Webhook-Signature: %s", base64);
	c->headers = curl_slist_append(c->headers, text);

	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, c->body);
}

static void
open_connection(Connection *c)
{
	c->curl = curl_easy_init();
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_CAINFO, ca);
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 30L);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(c->curl, CURLOPT_PRIVATE, c);
}

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	long		deliveries;
	long		connections;
	long		rate;
	long		started = 0;
	long		ended = 0;
	long		failed = 0;
	long		idle;
	double		begin;
	double		seconds;
	double	   *took;
	Connection *all;
	Connection **waiting;
	struct rusage used;
	CURLM	   *multi;

	if (argc != 7)
	{
		fprintf(stderr, "usage: deliveries URL CA SECRET DELIVERIES CONNECTIONS RATE\n");
		return 2;
	}
	url = argv[1];
	ca = argv[2];
	secret = argv[3];
	deliveries = atol(argv[4]);
	connections = atol(argv[5]);
	rate = atol(argv[6]);
	took = calloc(deliveries, sizeof(double));
	all = calloc(connections, sizeof(Connection));
	waiting = calloc(connections, sizeof(Connection *));
	if (deliveries < 1 || connections < 1 || !took || !all || !waiting)
		return 2;
	curl_global_init(CURL_GLOBAL_ALL);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
	for (idle = 0; idle < connections; idle++)
	{
		open_connection(&all[idle]);
		waiting[idle] = &all[idle];
	}

	begin = now();
	while (ended < deliveries)
	{
		CURLMsg    *msg;
		int			left;
		int			running;
		double		next = rate ? begin + (double) started / rate : 0;

		while (idle > 0 && started < deliveries && next <= now())
		{
			Connection *c = waiting[--idle];

			prepare(c, started++);
			c->due = rate ? next : now();
			curl_multi_add_handle(multi, c->curl);
			next = rate ? begin + (double) started / rate : 0;
		}
		curl_multi_perform(multi, &running);
		while ((msg = curl_multi_info_read(multi, &left)) != NULL)
		{
			Connection *c;
			CURLcode	result = msg->data.result;
			long		status = 0;

			curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE, &status);
			curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &c);
			if (result != CURLE_OK || status != 200)
				failed++;
			took[ended++] = now() - c->due;
			curl_multi_remove_handle(multi, c->curl);
			waiting[idle++] = c;
		}
		/* until something comes, or the next is due and can be sent */
		if (ended < deliveries && (idle == 0 || started == deliveries || next > now()))
			curl_multi_poll(multi, NULL, 0, idle > 0 && started < deliveries ? 1 : 1000, NULL);
	}
	seconds = now() - begin;

	if (failed > 0)
	{
		fprintf(stderr, "deliveries: %ld of %ld were not answered with 200\n", failed, deliveries);
		return 1;
	}
	qsort(took, deliveries, sizeof(double), compare);
	getrusage(RUSAGE_SELF, &used);
	printf("%.0f %.1f %.1f %.1f %.2f\n", deliveries / seconds, 1000 * took[deliveries / 2], 1000 * took[deliveries * 95 / 100],
		   1000 * took[deliveries * 99 / 100],
		   used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	return 0;
}
