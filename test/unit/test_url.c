/*-------------------------------------------------------------------------
 *
 * test_url.c
 *		Building URLs, and which hosts may be called.
 *
 * IDENTIFICATION
 *		test/unit/test_url.c
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "../../src/url.h"
#include "unit.h"

static void allowed(const char *host, const char *list, bool expected);
static void host_is(const char *url, const char *expected);
static void test_building(void);
static void test_hosts(void);
static void test_allowed(void);

void
test_url(void)
{
	test_building();
	test_hosts();
	test_allowed();
}

static void
allowed(const char *host, const char *list, bool expected)
{
	is_int(zcsync_url_host_allowed(host, list), expected,
		   psprintf("url: is \"%s\" in \"%s\"", host, list));
}

static void
host_is(const char *url, const char *expected)
{
	is_text(zcsync_url_host(url), expected, psprintf("url: host of %s", url));
}

static void
test_building(void)
{
	StringInfoData buf;
	bool		first = true;

	initStringInfo(&buf);
	zcsync_url_append_encoded(&buf, "AZaz09-._~");
	is_text(buf.data, "AZaz09-._~", "url: unreserved characters");

	resetStringInfo(&buf);
	zcsync_url_append_encoded(&buf, "a b/c?d=e&f#g%h+i\r\n:@\xC3\xA9");
	is_text(buf.data,
			"a%20b%2Fc%3Fd%3De%26f%23g%25h%2Bi%0D%0A%3A%40%C3%A9",
			"url: all others");

	resetStringInfo(&buf);
	appendStringInfoString(&buf, "https://x/y");
	zcsync_url_query_param(&buf, &first, "a", NULL);
	zcsync_url_query_param(&buf, &first, "page[size]", "100");
	zcsync_url_query_param(&buf, &first, "b", "");
	is_text(buf.data, "https://x/y?page%5Bsize%5D=100&b=", "url: parameters");
}

static void
test_hosts(void)
{
	host_is("https://acme.zendesk.com/api?x=@evil.com", "acme.zendesk.com");
	host_is("https://acme.zendesk.com:8443/", "acme.zendesk.com");
	host_is("https://[::1]:99/", "[::1]");
	host_is("https://acme.zendesk.com%2eevil.com/",
			"acme.zendesk.com.evil.com");
	host_is("https://evil.com#acme.zendesk.com", "evil.com");
	host_is("https://evil.com\\@acme.zendesk.com/", NULL);
	host_is("https://user@acme.zendesk.com/", NULL);
	host_is("https://user:secret@acme.zendesk.com/", NULL);
	host_is("https://acme.zendesk.com@evil.com/", NULL);
	host_is("https://:@evil.com/", NULL);
	host_is("acme.zendesk.com/api", NULL);
	host_is("/api/v2", NULL);
	host_is("https://", NULL);
	host_is("", NULL);
	is_text(zcsync_url_scheme("HTTPS://a.b/"), "https", "url: scheme");
	is_text(zcsync_url_scheme("http://a.b/"), "http", "url: other scheme");
	is_text(zcsync_url_scheme("a.b/"), NULL, "url: no scheme");
}

static void
test_allowed(void)
{
	const char *list = "api.clickup.com, *.zendesk.com,*.halopsa.com";

	allowed("api.clickup.com", list, true);
	allowed("API.ClickUp.com", list, true);
	allowed("api.clickup.com.", list, true);
	allowed("api.clickup.com:443", list, true);
	allowed("acme.zendesk.com", list, true);
	allowed("a.b.zendesk.com", list, true);
	allowed("acme.halopsa.com", list, true);

	allowed("clickup.com", list, false);
	allowed("x.api.clickup.com", list, false);
	allowed("zendesk.com", list, false);
	allowed(".zendesk.com", list, false);
	allowed("evilzendesk.com", list, false);
	allowed("acme.zendesk.com.evil.com", list, false);
	allowed("acme.zendesk.comx", list, false);
	allowed("acme.zendesk.com..", list, false);
	allowed("", list, false);
	allowed(".", list, false);

	/* addresses only by themselves */
	allowed("127.0.0.1", "127.0.0.1", true);
	allowed("127.0.0.1:8080", "127.0.0.1", true);
	allowed("127.0.0.1", "127.0.0.1:8080", true);
	allowed("127.0.0.1", "*.0.0.1", false);
	allowed("127.1", "*.1", false);
	allowed("10.0.0.0x1", "*.0x1", false);
	allowed("[::1]", "[::1]", true);
	allowed("[::1]:80", "[::1]", true);
	allowed("[::2]", "[::1]", false);

	/* odd lists */
	allowed("a.b", "", false);
	allowed("a.b", ",, ,", false);
	allowed("a.b", "*.", false);
	allowed("a.b", "*.b.", true);
	allowed("a.b", "a.*", false);
	allowed("a.b", "x,\ta.b\n", true);
	allowed("a.b", "x;a.b", false);
	allowed("a.b", "\"x\", \"*.b\"", true);
	allowed("a.b", "*", false);
	allowed("a.b", "**", false);
	is_int(zcsync_url_host_allowed(NULL, "a"), false, "url: no host");
	is_int(zcsync_url_host_allowed("a.b", NULL), false, "url: no list");
}
