# zcsync: make, make install; make test and make demo need nothing installed
# but make itself: they install what they need first (see make help).

EXTENSION = zcsync
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" zcsync.control)
MODULE_big = zcsync

# one file for each line of the list
CONNECTORS := $(shell sed -n 's/^ZCSYNC_CONNECTOR(\([a-z0-9_]*\)).*/\1/p' src/connector_list.h)

OBJS = \
	src/account.o \
	src/account_checks.o \
	src/activity.o \
	src/alert_secret.o \
	src/alerts.o \
	src/attempt.o \
	src/cache.o \
	src/cache_store.o \
	src/call.o \
	src/call_conceal.o \
	src/clock.o \
	src/conceal.o \
	src/connector.o \
	src/connector_common.o \
	src/databases.o \
	src/differing.o \
	src/engine.o \
	src/engine_alerts.o \
	src/engine_finish.o \
	src/engine_state.o \
	src/file_body.o \
	src/file_transfer.o \
	src/http.o \
	src/http_deadline.o \
	src/http_transfer.o \
	src/identity.o \
	src/json.o \
	src/key_rotation.o \
	src/kept_query.o \
	src/launcher.o \
	src/lead_rule.o \
	src/lead_score.o \
	src/lead_trigger.o \
	src/local_account.o \
	src/local_attempt.o \
	src/local_jobs.o \
	src/local_worker.o \
	src/machine.o \
	src/mail_address.o \
	src/merge.o \
	src/merge_row.o \
	src/merge_value.o \
	src/metrics.o \
	src/private_address.o \
	src/queue.o \
	src/record_url.o \
	src/reference.o \
	src/refusal.o \
	src/registry.o \
	src/retry.o \
	src/rich_attributes.o \
	src/rich_blocks.o \
	src/rich_html.o \
	src/rich_link.o \
	src/rich_markdown.o \
	src/rich_output.o \
	src/rich_quotes.o \
	src/rich_text.o \
	src/row_columns.o \
	src/run.o \
	src/sandbox.o \
	src/search.o \
	src/seal.o \
	src/secret.o \
	src/secret_open.o \
	src/secret_rows.o \
	src/settings.o \
	src/shared.o \
	src/shown_secret.o \
	src/sqlstate.o \
	src/stamp.o \
	src/timeline.o \
	src/token.o \
	src/url.o \
	src/value.o \
	src/value_jsonb.o \
	src/vendor_time.o \
	src/verb.o \
	src/wake.o \
	src/webhook.o \
	src/worker.o \
	src/worker_start.o \
	src/write_count.o \
	src/xact.o \
	src/zcsync.o \
	$(CONNECTORS:%=src/connector_%.o)
ifdef ZCSYNC_TESTING
# a vendor for tests
OBJS += test/vendor/connector_desk.o
endif

# the parts of the install script, a room a folder, in the order of loading
INSTALL_PARTS = $(addprefix sql/,$(shell cat sql/load_order))
DATA = $(wildcard sql/upgrade/$(EXTENSION)--*--*.sql)
DATA_built = sql/$(EXTENSION)--$(EXTVERSION).sql

# installcheck needs a server that preloads zcsync; make test makes its own.
REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test
ISOLATION = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl
PROVE_FLAGS = -I $(CURDIR)/test/perl

PG_CFLAGS = -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wshadow -Wstrict-prototypes
PG_CPPFLAGS = -DZCSYNC_VERSION='"$(EXTVERSION)"'
# Debian's server has no assertions; it does have what ours need when they fail.
ifdef ZCSYNC_TESTING
PG_CPPFLAGS += -DZCSYNC_TESTING -DUSE_ASSERT_CHECKING
endif
EXTRA_CLEAN = sql/$(EXTENSION)--*.sql src/*.bc test/vendor/*.bc src/door/zcsync-door

PG_CONFIG ?= pg_config
CURL_CONFIG ?= curl-config
CURL_FLOOR = 7.87.0
XML2_CONFIG ?= xml2-config

# These run scripts and must work before anything is installed, so they do
# not look at the build environment.
SCRIPTS_ONLY = bench bench-flow demo deps door help install-door load test test-all-versions test-operations

.PHONY: $(SCRIPTS_ONLY)

ifneq (,$(filter-out $(SCRIPTS_ONLY),$(or $(MAKECMDGOALS),all)))

INSTALL_HINT = run "make deps" (Debian 12), or install the PostgreSQL server headers (postgresql-server-dev-NN) and the development files of libcurl, OpenSSL, zlib, libxml2 and cmark

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq (,$(PGXS))
$(error "$(PG_CONFIG)" not found; $(INSTALL_HINT))
endif
ifeq (,$(wildcard $(PGXS)))
$(error the server headers of "$(PG_CONFIG)" are not installed; $(INSTALL_HINT))
endif

PG_MAJOR := $(shell $(PG_CONFIG) --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
ifneq (ok,$(shell test "$(PG_MAJOR)" -ge 15 2>/dev/null && echo ok))
$(error zcsync needs PostgreSQL 15 or newer; "$(PG_CONFIG)" is of version $(PG_MAJOR))
endif

CURL_VERSION := $(shell $(CURL_CONFIG) --version 2>/dev/null | sed 's/^libcurl //')
ifeq (,$(CURL_VERSION))
$(error "$(CURL_CONFIG)" not found; $(INSTALL_HINT))
endif
ifneq (ok,$(shell printf '%s\n' $(CURL_FLOOR) $(CURL_VERSION) | sort -CV && echo ok))
$(error zcsync needs libcurl $(CURL_FLOOR) or newer; "$(CURL_CONFIG)" is of version $(CURL_VERSION))
endif

ifeq (,$(shell $(XML2_CONFIG) --version 2>/dev/null))
$(error "$(XML2_CONFIG)" not found; $(INSTALL_HINT))
endif

SHLIB_LINK = $(shell $(CURL_CONFIG) --libs) $(shell $(XML2_CONFIG) --libs) -lcmark -lcrypto -lz
PG_CPPFLAGS += $(shell $(CURL_CONFIG) --cflags) $(shell $(XML2_CONFIG) --cflags)

# Bitcode for JIT inlining is optional: without the server's clang, go without.
ifeq (,$(wildcard $(shell sed -n 's/^CLANG = *//p' $(dir $(PGXS))../Makefile.global)))
override with_llvm = no
endif

include $(PGXS)

ifneq (ok,$(shell printf '\043include <%s>\n' curl/curl.h openssl/evp.h zlib.h libxml/HTMLparser.h cmark.h | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 && echo ok))
$(error the headers of libcurl, OpenSSL, zlib, libxml2 or cmark are missing; $(INSTALL_HINT))
endif

$(OBJS) $(OBJS:.o=.bc): $(wildcard src/*.h)
src/zcsync.o src/zcsync.bc: zcsync.control

$(DATA_built): $(INSTALL_PARTS) sql/load_order zcsync.control
	cat $(INSTALL_PARTS) > $@

endif

# install what building and testing need (Debian 12; root or sudo)
deps:
	@test/prepare

# the program that takes webhooks, by itself: what it needs (libevent, libpq) the
# extension does not
DOOR_CFLAGS = -O2 -g -std=gnu11 -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
	-Wall -Wextra -Werror -Wshadow -Wstrict-prototypes
DOOR_LDFLAGS = -pie -Wl,-z,relro,-z,now
DOOR_BINDIR = /usr/bin
DOOR_UNITDIR = /usr/lib/systemd/system

door: src/door/zcsync-door

src/door/zcsync-door: $(wildcard src/door/*.c) src/door/door.h zcsync.control
	$(CC) $(DOOR_CFLAGS) -DZCSYNC_VERSION='"$(EXTVERSION)"' -I$$($(or $(PG_CONFIG),pg_config) --includedir) \
		-o $@ $(filter %.c,$^) $(DOOR_LDFLAGS) -levent_core -levent_extra -lpq

install-door: door
	install -D -m 755 src/door/zcsync-door $(DESTDIR)$(DOOR_BINDIR)/zcsync-door
	install -D -m 644 src/door/zcsync-door.service $(DESTDIR)$(DOOR_UNITDIR)/zcsync-door.service

# a server of its own, simulated vendors, two linked accounts
demo:
	@demo/demo.sh

# all tests; make test T=010_launcher runs one, make test S=sql one stage
test:
	@T='$(T)' S='$(S)' test/run-tests

# what needs more programs: Prometheus and its exporter, a browser, PgBouncer, Node.js
test-operations:
	@T='$(T)' S=operations test/run-tests

# all tests with PostgreSQL 17 and 18, in chroots of other Debian releases (root)
test-all-versions:
	@test/test-all-versions

bench:
	@test/bench/run

# webhooks a second, how long a change takes from vendor to vendor, calls of a
# large installation; make bench-flow T=door runs one
bench-flow:
	@T='$(T)' S=bench test/run-tests

# users, arrivals and poolers, as the requirements ask for
load:
	@test/bench/load/run

help:
	@echo 'make            build (needs PostgreSQL 15+ headers, libcurl $(CURL_FLOOR)+, OpenSSL, zlib, libxml2, cmark)'
	@echo 'make install    install into the server of $(PG_CONFIG)'
	@echo 'make door       build zcsync-door, which takes webhooks (needs libevent, libpq); make install-door'
	@echo 'make deps       install what building and testing need (Debian 12)'
	@echo 'make demo       see it work on a server of its own against simulated vendors'
	@echo 'make test       all tests on servers of their own; T=name or S=stage for some'
	@echo 'make test-operations  monitoring, with the real Prometheus; the report in a browser; a short load; clients of the vendors, from npm, on the simulator'
	@echo 'make test-all-versions  make test with PostgreSQL 17 and 18, in chroots (root)'
	@echo 'make bench      measure it'
	@echo 'make bench-flow measure it with simulated vendors: webhooks, the way from vendor to vendor, calls; T=name for one'
	@echo 'make load       load it with users, arrivals and a thousand clients of PgBouncer'
	@echo 'make installcheck  the tests against an installed, preloaded server'
