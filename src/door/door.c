/*-------------------------------------------------------------------------
 *
 * door.c
 *		zcsync-door: takes what vendors send to webhooks, and gives it to
 *		zcsync.receive_webhook().
 *
 * A program of its own, since a listener within the server could take the
 * server down.  It trusts nobody and knows no secret: whether a delivery comes
 * from the vendor, the database decides.  Its role may call that one function.
 * It waits for sockets and never for anything else, but for the sync of the
 * spool.
 *
 *		intake.c	HTTP, by libevent: a request becomes a delivery
 *		database.c	the connection to the database, by libpq
 *		spool.c		a file for what comes while the database is down
 *
 * It logs when the database goes and comes, and numbers; never a path, a
 * header or a body.
 *
 * IDENTIFICATION
 *		src/door/door.c
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "door.h"

#define DEFAULT_PORT		8471
#define DEFAULT_SPOOL_MB	256
#define STOP_STEP_MS		50
#define STOP_STEPS			100
#define NAME_CHARACTERS		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static struct event_base *base = NULL;
static struct event *stop_timer = NULL;
static int	stop_steps = 0;

static void read_options(int argc, char **argv, DoorOptions *options);
static void read_address(char *text, DoorOptions *options);
static void take_name(const char *name, DoorOptions *options);
static void name_by_machine(DoorOptions *options);
static void protect(void);
static void stop_asked(int number, short what, void *arg);
static void stop_step(int fd, short what, void *arg);

static const char *const usage =
"zcsync-door takes what vendors send to webhooks and gives it to the database.\n"
"\n"
"  --database=CONNINFO   the database, as libpq has it: \"dbname=mydb user=zcsync_door\"\n"
"  --listen=ADDRESS:PORT where a proxy with TLS sends to (default 127.0.0.1:8471)\n"
"  --spool=DIRECTORY     for what comes while the database is down; none: it is refused\n"
"  --spool-max=MB        how much of it is kept (default 256)\n"
"  --name=NAME           under which it reports to the database (default: that of this machine)\n"
"  --help, --version\n";

int
main(int argc, char **argv)
{
	DoorOptions options = {"127.0.0.1", DEFAULT_PORT, "", NULL,
	(off_t) DEFAULT_SPOOL_MB * 1024 * 1024, ""};
	struct event *terminated;
	struct event *interrupted;

	name_by_machine(&options);
	read_options(argc, argv, &options);
	protect();
	base = event_base_new();
	if (base == NULL)
		door_die("could not begin");
	terminated = evsignal_new(base, SIGTERM, stop_asked, NULL);
	interrupted = evsignal_new(base, SIGINT, stop_asked, NULL);
	stop_timer = event_new(base, -1, 0, stop_step, NULL);
	if (terminated == NULL || interrupted == NULL || stop_timer == NULL)
		door_die("out of memory");
	event_add(terminated, NULL);
	event_add(interrupted, NULL);

	spool_open(base, options.spool, options.spool_max);
	database_open(base, &options);
	intake_open(base, &options);
	event_base_dispatch(base);

	database_close();
	spool_sync();
	return 0;
}

static void
read_options(int argc, char **argv, DoorOptions *options)
{
	static const struct option known[] = {
		{"database", required_argument, NULL, 'd'},
		{"listen", required_argument, NULL, 'l'},
		{"spool", required_argument, NULL, 's'},
		{"spool-max", required_argument, NULL, 'm'},
		{"name", required_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0}
	};
	int			option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
	{
		switch (option)
		{
			case 'd':
				options->conninfo = optarg;
				break;
			case 'l':
				read_address(optarg, options);
				break;
			case 's':
				options->spool = optarg;
				break;
			case 'm':
				options->spool_max = (off_t) atoi(optarg) * 1024 * 1024;
				if (options->spool_max <= 0)
					door_die("--spool-max must be a number of megabytes");
				break;
			case 'n':
				take_name(optarg, options);
				break;
			case 'h':
				fputs(usage, stdout);
				exit(0);
			case 'v':
				puts("zcsync-door " ZCSYNC_VERSION);
				exit(0);
			default:
				fputs(usage, stderr);
				exit(2);
		}
	}
	if (optind < argc)
	{
		fputs(usage, stderr);
		exit(2);
	}
}

/* ADDRESS:PORT; an address of IPv6 may stand in brackets. */
static void
read_address(char *text, DoorOptions *options)
{
	char	   *colon = strrchr(text, ':');
	char	   *end;
	long		port;

	if (colon == NULL)
		door_die("--listen must be ADDRESS:PORT");
	port = strtol(colon + 1, &end, 10);
	if (*end != '\0' || end == colon + 1 || port < 0 || port > 65535)
		door_die("--listen must be ADDRESS:PORT");
	*colon = '\0';
	if (text[0] == '[' && colon[-1] == ']')
	{
		colon[-1] = '\0';
		text++;
	}
	options->address = text;
	options->port = (int) port;
}

static void
take_name(const char *name, DoorOptions *options)
{
	if (name[0] == '\0' || strlen(name) > DOOR_NAME_MAX ||
		name[strspn(name, NAME_CHARACTERS)] != '\0')
		door_die("--name must have at most %d letters, digits, \".\", \"_\" and \"-\"",
				 DOOR_NAME_MAX);
	snprintf(options->name, sizeof(options->name), "%s", name);
}

static void
name_by_machine(DoorOptions *options)
{
	size_t		length;

	if (gethostname(options->name, sizeof(options->name)) != 0 ||
		options->name[0] == '\0')
		snprintf(options->name, sizeof(options->name), "door");
	options->name[DOOR_NAME_MAX] = '\0';	/* a longer one is cut */
	for (length = strspn(options->name, NAME_CHARACTERS);
		 options->name[length] != '\0';
		 length += strspn(options->name + length, NAME_CHARACTERS))
		options->name[length] = '_';
}

/*
 * Nobody else may read this program's memory or files, and it must not have
 * the rights of root.
 */
static void
protect(void)
{
	struct rlimit none = {0, 0};

	if (geteuid() == 0)
		door_die("must not run as root; give it a user of its own");
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
}

/* Take nothing more, and end when all that was taken is answered. */
static void
stop_asked(int number, short what, void *arg)
{
	(void) number;
	(void) what;
	(void) arg;
	intake_close();
	stop_step(-1, 0, NULL);
}

static void
stop_step(int fd, short what, void *arg)
{
	struct timeval step = {0, STOP_STEP_MS * 1000};

	(void) fd;
	(void) what;
	(void) arg;
	if (intake_open_requests() == 0 || stop_steps++ >= STOP_STEPS)
		event_base_loopbreak(base);
	else
		event_add(stop_timer, &step);
}

void
door_log(const char *format,...)
{
	va_list		args;

	fputs("zcsync-door: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void
door_die(const char *format,...)
{
	va_list		args;

	fputs("zcsync-door: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* Zeroed memory; ends the program if there is none. */
void *
door_alloc(size_t size)
{
	void	   *memory = calloc(1, size);

	if (memory == NULL)
		door_die("out of memory");
	return memory;
}

char *
door_strdup(const char *text)
{
	char	   *copy = strdup(text);

	if (copy == NULL)
		door_die("out of memory");
	return copy;
}
