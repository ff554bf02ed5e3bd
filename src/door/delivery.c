/*-------------------------------------------------------------------------
 *
 * delivery.c
 *		Deliveries and lists of them.
 *
 * A delivery owns its texts and its body.  They are overwritten before they
 * are freed: headers and paths may have secrets.
 *
 * IDENTIFICATION
 *		src/door/delivery.c
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "door.h"

static void wipe(char *text);

/*
 * A delivery that arrives now.  Copies what it is given.
 */
Delivery *
delivery_make(const char *path, const char *headers, const void *body,
			  size_t body_size)
{
	Delivery   *delivery = door_alloc(sizeof(Delivery));
	struct timeval now;
	struct tm	parts;
	char		seconds[24];

	delivery->path = door_strdup(path);
	delivery->headers = door_strdup(headers);
	delivery->body = door_alloc(body_size + 1);
	memcpy(delivery->body, body, body_size);
	delivery->body_size = body_size;

	gettimeofday(&now, NULL);
	gmtime_r(&now.tv_sec, &parts);
	strftime(seconds, sizeof(seconds), "%Y-%m-%d %H:%M:%S", &parts);
	snprintf(delivery->received_at, sizeof(delivery->received_at),
			 "%s.%06ld+00", seconds, (long) now.tv_usec);
	return delivery;
}

void
delivery_free(Delivery *delivery)
{
	wipe(delivery->path);
	wipe(delivery->headers);
	explicit_bzero(delivery->body, delivery->body_size);
	free(delivery->body);
	free(delivery);
}

void
list_append(DeliveryList *list, Delivery *delivery)
{
	delivery->next = NULL;
	if (list->last == NULL)
		list->first = delivery;
	else
		list->last->next = delivery;
	list->last = delivery;
	list->length++;
}

/* The first one, which leaves the list; NULL if it is empty. */
Delivery *
list_take(DeliveryList *list)
{
	Delivery   *delivery = list->first;

	if (delivery == NULL)
		return NULL;
	list->first = delivery->next;
	if (list->first == NULL)
		list->last = NULL;
	list->length--;
	delivery->next = NULL;
	return delivery;
}

/* Append the second list to the first, and leave it empty. */
void
list_concat(DeliveryList *list, DeliveryList *after)
{
	Delivery   *delivery;

	while ((delivery = list_take(after)) != NULL)
		list_append(list, delivery);
}

static void
wipe(char *text)
{
	explicit_bzero(text, strlen(text));
	free(text);
}
