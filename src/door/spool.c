/*-------------------------------------------------------------------------
 *
 * spool.c
 *		What arrives while the database is down: kept in a file, and given to
 *		the database when it is back.
 *
 * The file "deliveries" is a list of records that only grows, until all of
 * them are stored; then it is emptied.  Records that arrive together are
 * written together and synced once, and nobody is answered before.  Records
 * may be given to the database twice, which knows them then.
 *
 * After a crash a record may be cut off at the end, which was not answered;
 * a fault of the disk may damage one that was, and nobody can tell where the
 * next one begins.  Nothing of either is thrown away: it is copied from there
 * to a file of its own, "deliveries.bad.TIME".
 *
 * While the database is down nobody can say whether a path is that of an
 * account.  So that strangers do not fill the file, only what comes to a path
 * that was right before is kept; the file "paths" has those.  Where it is
 * empty, all is kept.
 *
 * The file has what vendors sent, and where a vendor proves itself by a secret
 * in the request, that secret: both files are readable for this program's
 * user only.
 *
 * IDENTIFICATION
 *		src/door/spool.c
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "door.h"

#define RECORD_MAGIC	0x5a435331	/* ZCS1 */
#define RECORD_MAX		(DOOR_BODY_MAX + 4 * DOOR_HEADERS_MAX)
#define RETRY_S			30
#define PATHS_MAX		10000
#define NAME_MAX_CHARS	80

typedef struct RecordHeader
{
	uint32_t	magic;
	uint32_t	size;			/* of what follows */
	uint32_t	sum;			/* of what follows */
} RecordHeader;

static const char *spool_directory = NULL;
static int	file = -1;			/* -1: there is no spool */
static FILE *paths_file = NULL;
static off_t file_max = 0;
static off_t file_size = 0;		/* all up to here is synced */
static off_t stored_to = 0;		/* the database has all up to here */
static int	being_stored = 0;	/* records that the database was given */
static bool not_stored = false; /* one of them could not be */
static struct evbuffer *unwritten = NULL;
static DeliveryList unsynced;	/* they are answered when it is written */
static struct event *sync_event = NULL;
static struct event *drain_timer = NULL;
static char **paths = NULL;
static int	path_count = 0;
static bool told_full = false;

static double seconds_since(const char *time_text);
static int	open_file(const char *directory, const char *name);
static void load_paths(const char *directory);
static off_t valid_size(void);
static bool put_aside(off_t from);
static bool may_keep(const char *path);
static int	find_path(const char *path, char *name);
static uint32_t checksum(const char *bytes, size_t size);
static void append_record(const Delivery *delivery);
static bool write_all(void);
static void sync_now(int fd, short what, void *arg);
static void drain(int fd, short what, void *arg);
static Delivery *read_record(off_t *at);
static Delivery *record_delivery(const char *bytes, size_t size);

void
spool_open(struct event_base *base, const char *directory, off_t max)
{
	off_t		valid;

	if (directory == NULL)
		return;
	spool_directory = directory;
	file = open_file(directory, "deliveries");
	if (file < 0)
		door_die("could not open the spool \"%s\": %s", directory,
				 strerror(errno));
	if (flock(file, LOCK_EX | LOCK_NB) != 0)
		door_die("another zcsync-door uses the spool \"%s\"", directory);
	file_max = max;
	valid = valid_size();
	if (valid < file_size && !put_aside(valid))
		door_die("the spool \"%s\" cannot be used", directory);
	if (fsync(file) != 0)
		door_die("could not write to the spool: %s", strerror(errno));
	unwritten = evbuffer_new();
	sync_event = event_new(base, -1, 0, sync_now, NULL);
	drain_timer = event_new(base, -1, 0, drain, NULL);
	if (unwritten == NULL || sync_event == NULL || drain_timer == NULL)
		door_die("out of memory");
	load_paths(directory);
	if (file_size > 0)
		door_log("the spool has %lld bytes of deliveries from before",
				 (long long) file_size);
}

/*
 * The database is down: keep a delivery and answer 200 when it is on disk; 503
 * if it cannot be kept.
 */
void
spool_keep(Delivery *delivery)
{
	size_t		size = sizeof(RecordHeader) + strlen(delivery->path) +
		strlen(delivery->headers) + strlen(delivery->received_at) + 3 +
		delivery->body_size;

	if (file < 0 || !may_keep(delivery->path))
	{
		intake_answer(delivery, 503);
		delivery_free(delivery);
		return;
	}
	if (file_size + (off_t) (evbuffer_get_length(unwritten) + size) > file_max)
	{
		if (!told_full)
			door_log("the spool is full");
		told_full = true;
		intake_answer(delivery, 503);
		delivery_free(delivery);
		return;
	}
	append_record(delivery);
	list_append(&unsynced, delivery);
	event_active(sync_event, EV_TIMEOUT, 0);
}

/* Give the database what was kept. */
void
spool_database_is_up(void)
{
	if (file >= 0 && being_stored == 0)
		event_active(drain_timer, EV_TIMEOUT, 0);
}

/* The database has a delivery of the spool; or it has not, for now. */
void
spool_done(Delivery *delivery, bool stored)
{
	off_t		end = delivery->spooled_to;

	delivery_free(delivery);
	being_stored--;
	if (!stored)
		not_stored = true;
	if (being_stored > 0)
		return;
	if (not_stored)
	{
		struct timeval later = {RETRY_S, 0};

		event_add(drain_timer, &later);
		return;
	}
	stored_to = end;			/* results come in order */
	event_active(drain_timer, EV_TIMEOUT, 0);
}

/* The database took something with this path: so it is one of an account. */
void
spool_note_path(const char *path)
{
	char		name[NAME_MAX_CHARS + 1];

	if (file < 0 || find_path(path, name) >= 0 || name[0] == '\0' ||
		path_count == PATHS_MAX)
		return;
	paths[path_count++] = door_strdup(name);
	fprintf(paths_file, "%s\n", name);
	fflush(paths_file);
}

/* Write what was not written yet. */
void
spool_sync(void)
{
	if (file >= 0)
		sync_now(-1, 0, NULL);
}

/*
 * How many bytes wait for the database, and for how many seconds the first
 * delivery of them has.
 */
off_t
spool_waiting(double *age)
{
	off_t		at = stored_to;
	Delivery   *first = file_size > stored_to ? read_record(&at) : NULL;

	*age = 0;
	if (first == NULL)
		return 0;
	*age = seconds_since(first->received_at);
	delivery_free(first);
	return file_size - stored_to;
}

/* Of a time as delivery_make() writes it; its fraction does not count. */
static double
seconds_since(const char *time_text)
{
	struct tm	parts = {0};
	double		seconds;

	if (strptime(time_text, "%Y-%m-%d %H:%M:%S", &parts) == NULL)
		return 0;
	seconds = difftime(time(NULL), timegm(&parts));
	return seconds > 0 ? seconds : 0;
}

/* A file of the spool, made if it is not there; -1: errno says why not. */
static int
open_file(const char *directory, const char *name)
{
	char		path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void
load_paths(const char *directory)
{
	char		line[NAME_MAX_CHARS + 2];
	int			fd = open_file(directory, "paths");

	paths = door_alloc(PATHS_MAX * sizeof(char *));
	paths_file = fd < 0 ? NULL : fdopen(fd, "a+");
	if (paths_file == NULL)
		door_die("could not open \"%s/paths\": %s", directory, strerror(errno));
	rewind(paths_file);
	while (path_count < PATHS_MAX && fgets(line, sizeof(line), paths_file))
	{
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			paths[path_count++] = door_strdup(line);
	}
	fseek(paths_file, 0, SEEK_END);
}

/* Where the last record ends before the first one that cannot be read. */
static off_t
valid_size(void)
{
	off_t		at = 0;
	Delivery   *delivery;

	file_size = lseek(file, 0, SEEK_END);
	while ((delivery = read_record(&at)) != NULL)
		delivery_free(delivery);
	return at;
}

/*
 * From here on there are no records that can be read: move what is there to a
 * file of its own, for a person to look at.  False: nothing was changed.
 */
static bool
put_aside(off_t from)
{
	char		name[64];
	char		bytes[65536];
	off_t		at = from;
	ssize_t		got = 0;
	int			copy;
	bool		copied;

	snprintf(name, sizeof(name), "deliveries.bad.%lld", (long long) time(NULL));
	copy = open_file(spool_directory, name);
	while (copy >= 0 && at < file_size &&
		   (got = pread(file, bytes, sizeof(bytes), at)) > 0 &&
		   write(copy, bytes, got) == got)
		at += got;
	copied = copy >= 0 && at >= file_size && fsync(copy) == 0;
	explicit_bzero(bytes, sizeof(bytes));
	if (!copied || ftruncate(file, from) != 0)
	{
		door_log("could not move damaged deliveries to \"%s\": %s", name,
				 strerror(errno));
		copied = false;
	}
	else
	{
		door_log("%lld bytes of the spool are no whole deliveries: they are in \"%s\" now",
				 (long long) (file_size - from), name);
		file_size = from;
	}
	if (copy >= 0)
		close(copy);
	return copied;
}

static bool
may_keep(const char *path)
{
	char		name[NAME_MAX_CHARS + 1];

	return path_count == 0 || find_path(path, name) >= 0;
}

/*
 * The number of a path that is known, or -1.  "name" gets the part of it that
 * is no secret.
 */
static int
find_path(const char *path, char *name)
{
	size_t		length = strcspn(path, "/");

	if (length > NAME_MAX_CHARS)
		length = 0;
	memcpy(name, path, length);
	name[length] = '\0';
	for (int i = 0; i < path_count; i++)
	{
		if (strcmp(paths[i], name) == 0)
			return i;
	}
	return -1;
}

/* FNV-1a: it shows what a crash has cut off or left empty. */
static uint32_t
checksum(const char *bytes, size_t size)
{
	uint32_t	sum = 2166136261u;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ (unsigned char) bytes[i]) * 16777619u;
	return sum;
}

/* Texts end with a zero byte, then comes the body. */
static void
append_record(const Delivery *delivery)
{
	struct evbuffer *content = evbuffer_new();
	RecordHeader header;

	if (content == NULL)
		door_die("out of memory");
	evbuffer_add(content, delivery->received_at, strlen(delivery->received_at) + 1);
	evbuffer_add(content, delivery->path, strlen(delivery->path) + 1);
	evbuffer_add(content, delivery->headers, strlen(delivery->headers) + 1);
	evbuffer_add(content, delivery->body, delivery->body_size);
	header.magic = RECORD_MAGIC;
	header.size = (uint32_t) evbuffer_get_length(content);
	header.sum = checksum((char *) evbuffer_pullup(content, -1), header.size);
	evbuffer_add(unwritten, &header, sizeof(header));
	evbuffer_add_buffer(unwritten, content);
	evbuffer_free(content);
}

/* Write and sync what is there; false: nothing of it is kept. */
static bool
write_all(void)
{
	off_t		size = file_size + (off_t) evbuffer_get_length(unwritten);

	while (evbuffer_get_length(unwritten) > 0)
	{
		if (evbuffer_write(unwritten, file) <= 0 && errno != EINTR)
			break;
	}
	if (evbuffer_get_length(unwritten) == 0 && fdatasync(file) == 0)
	{
		file_size = size;
		return true;
	}
	door_log("could not write to the spool: %s", strerror(errno));
	evbuffer_drain(unwritten, evbuffer_get_length(unwritten));
	if (ftruncate(file, file_size) != 0)
		door_die("could not write to the spool: %s", strerror(errno));
	return false;
}

static void
sync_now(int fd, short what, void *arg)
{
	Delivery   *delivery;
	bool		kept;

	(void) fd;
	(void) what;
	(void) arg;
	if (unsynced.length == 0)
		return;
	kept = write_all();
	while ((delivery = list_take(&unsynced)) != NULL)
	{
		intake_answer(delivery, kept ? 200 : 503);
		delivery_free(delivery);
	}
	if (database_is_up())
		spool_database_is_up();
}

/* Give the database the next records; when it has all, empty the file. */
static void
drain(int fd, short what, void *arg)
{
	static const struct timeval later = {RETRY_S, 0};
	off_t		at = stored_to;
	Delivery   *delivery;

	(void) fd;
	(void) what;
	(void) arg;
	if (!database_is_up() || being_stored > 0 || file_size == 0)
		return;
	not_stored = false;
	while (being_stored < DOOR_BATCH_MAX && at < file_size &&
		   (delivery = read_record(&at)) != NULL)
	{
		delivery->spooled_to = at;
		being_stored++;
		database_take(delivery);
	}
	if (being_stored > 0)
		return;
	if (at < file_size && !put_aside(at))
	{
		event_add(drain_timer, &later);
		return;
	}
	if (ftruncate(file, 0) != 0 || fsync(file) != 0)
	{
		door_log("could not empty the spool: %s", strerror(errno));
		return;
	}
	door_log("the spool is empty again: the database has %lld bytes of deliveries",
			 (long long) file_size);
	file_size = stored_to = 0;
	told_full = false;
	database_report();
}

/* The record at this place, or NULL; moves the place behind it. */
static Delivery *
read_record(off_t *at)
{
	RecordHeader header;
	char	   *bytes;
	Delivery   *delivery = NULL;

	if (pread(file, &header, sizeof(header), *at) != sizeof(header) ||
		header.magic != RECORD_MAGIC || header.size > RECORD_MAX)
		return NULL;
	bytes = door_alloc(header.size + 1);
	if (pread(file, bytes, header.size, *at + sizeof(header)) == (ssize_t) header.size &&
		checksum(bytes, header.size) == header.sum)
		delivery = record_delivery(bytes, header.size);
	explicit_bzero(bytes, header.size);
	free(bytes);
	if (delivery != NULL)
		*at += sizeof(header) + header.size;
	return delivery;
}

/* What a record has; NULL if it is none. */
static Delivery *
record_delivery(const char *bytes, size_t size)
{
	const char *part[3];
	size_t		used = 0;
	Delivery   *delivery;

	for (int i = 0; i < 3; i++)
	{
		part[i] = bytes + used;
		used += strnlen(bytes + used, size - used) + 1;
		if (used > size)
			return NULL;
	}
	delivery = delivery_make(part[1], part[2], bytes + used, size - used);
	snprintf(delivery->received_at, sizeof(delivery->received_at), "%s", part[0]);
	return delivery;
}
