# check_account() and discover() against the simulated vendors: a verdict for
# each thing that can be wrong, and what is there.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

my $simulator = start_simulator('--tickets', 30, '--tasks', 5);
my $node = new_node('main', conf => "zcsync.databases = ''\nlog_statement = none\nzcsync.request_timeout = 2s");
$node->start;
setup_zcsync($node, 'postgres');
my $zendesk = $simulator->zendesk;
my $clickup = $simulator->clickup;

sub value { return $node->safe_psql('postgres', $_[0]); }

# The rows of check_account(), one text each; hints where something is wrong.
sub check
{
	my ($name) = @_;
	return value(qq{SELECT item || ': ' || coalesce(ok::text, '?') || CASE WHEN ok THEN '' ELSE ' | ' || message || ' | ' || hint END
		FROM zcsync.check_account('$name')});
}

# Everything that is right.
sub good { return join "\n", map { "$_: true" } @_; }

# -------------------------------------------------------------- Zendesk

value(qq{SELECT zcsync.add_account('acme', 'zendesk', '{"subdomain": "acme", "base_url": "$zendesk"}')});
is(check('acme'), "settings: true\ncredentials: false | the account has no credentials | Give them with zcsync.set_credentials().",
	'no credentials: nothing is asked of the vendor');
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}')});
is(check('acme'), good('settings', 'credentials', 'connection', 'login', 'read tickets', 'export tickets', 'scope'), 'an OAuth client of an administrator');
my $tickets = $simulator->get('info')->{zendesk}{acme};
is(value(q{SELECT message FROM zcsync.check_account('acme') WHERE item = 'read tickets'}), sprintf('%d tickets', $tickets->{tickets} - $tickets->{deleted}), 'counts what it sees');
is(value(q{SELECT string_agg(name || ' ' || (expires_at IS NOT NULL), ', ' ORDER BY name) FROM zcsync.credentials}),
	'access_token true, client_id false, client_secret false, scope false', 'the token it fetched is kept');
is(value(q{SELECT form || ' ' || ok FROM zcsync.check_credentials() WHERE name = 'access_token'}), 'sealed true', 'sealed');
check('acme');
is(scalar(grep { $_->{path} =~ /oauth/ } @{ $simulator->get('requests', vendor => 'zendesk')->{requests} }), 1, 'and used again');

value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "wrong"}')});
like(check('acme'), qr/connection: true\nlogin: false \| the credentials are not accepted: .*client.* \| /i, 'a wrong secret');
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "users:read"}')});
like(check('acme'), qr/login: true\nread tickets: false \| .*Forbidden.*HTTP 403.* \| .*scope "read"/i, 'a scope that does not reach tickets');
value(q{SELECT zcsync.set_credentials('acme', '{"email": "admin@acme.example", "api_token": "token-acme"}')});
is(check('acme'), good('settings', 'credentials', 'connection', 'login', 'read tickets', 'export tickets'), 'an API token of an administrator');
value(q{SELECT zcsync.set_credentials('acme', '{"email": "agent@acme.example", "api_token": "agent-token-acme"}')});
like(check('acme'), qr/read tickets: true\nexport tickets: false \| .*HTTP 403.* \| Only administrators may use the incremental export/,
	'an agent may read tickets, not export them');
value(q{SELECT zcsync.set_credentials('acme', '{"email": "admin@acme.example", "api_token": "wrong"}')});
like(check('acme'), qr/login: false \| the credentials are not accepted/, 'a wrong API token, which /users/me would not tell');
value(q{SELECT zcsync.set_credentials('acme', '{"email": "admin@acme.example", "api_token": "token-acme"}')});

# Streams ask for more rights.
value(q{INSERT INTO zcsync.streams (account_id, kind, writes)
	SELECT zcsync.account('acme'), k, k = 'tickets' FROM unnest('{tickets,contacts,fields,statuses}'::text[]) AS k});
like(check('acme'), qr/export tickets: true\nwrite tickets: true\nexport contacts: true\nread fields: true\nread statuses: true$/,
	'a row for each right that the streams need');
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme"}')});
like(check('acme'), qr/export tickets: true\nwrite tickets: false \| .*HTTP 403.* \| .*"scope": "read write".*\nexport contacts: true/, 'the scope to write is missing');
value(q{SELECT zcsync.set_credentials('acme', '{"client_id": "client-acme", "client_secret": "secret-acme", "scope": "read write"}')});
like(check('acme'), qr/\nwrite tickets: true\n/, 'it is there');
$node->append_conf('postgresql.conf', 'zcsync.writes = off');
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('zcsync.writes') = 'off'}) or die;
my $calls = scalar @{ $simulator->get('requests', vendor => 'zendesk', method => 'PUT')->{requests} };
like(check('acme'), qr/\nwrite tickets: \? \| cannot be told while nothing may be sent/, 'nothing is tried where nothing may be sent');
is(scalar @{ $simulator->get('requests', vendor => 'zendesk', method => 'PUT')->{requests} }, $calls, 'no request');
$node->append_conf('postgresql.conf', 'zcsync.writes = on');
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('zcsync.writes') = 'on'}) or die;
is(scalar @{ $simulator->get('ledger', vendor => 'zendesk')->{writes} }, 0, 'nothing was written');
value(q{SELECT zcsync.set_credentials('acme', '{"email": "admin@acme.example", "api_token": "token-acme"}')});
value(q{DELETE FROM zcsync.streams});

# The way there.
value(sprintf q{SELECT zcsync.alter_account('acme', '{"base_url": "%s"}')}, $simulator->zendesk('nosuch'));
like(check('acme'), qr/connection: true\nlogin: false \| there is no such account at .*nosuch.* \| .*alter_account/, 'a wrong subdomain');
value(q{SELECT zcsync.alter_account('acme', '{"base_url": "http://127.0.0.1:1"}')});
like(check('acme'), qr/credentials: true\nconnection: false \| cannot reach http:\/\/127.0.0.1:1: .* \| .*firewall/, 'nobody listens');
value(qq{SELECT zcsync.alter_account('acme', '{"base_url": "$zendesk"}')});
$simulator->post('faults', { fault => 'html_502' });
like(check('acme'), qr/connection: true\nlogin: \? \| the vendor is in trouble: .* \| Try again later/, 'a vendor in trouble');
$simulator->no_faults;
$simulator->post('faults', { fault => 'hang' });
like(check('acme'), qr/connection: false \| cannot reach .*time/i, 'no answer in time');
$simulator->no_faults;
$node->append_conf('postgresql.conf', "zcsync.allowed_hosts = 'api.clickup.com'");
$node->reload;
like(check('acme'), qr/^settings: false \| address "http:.*" cannot be called \| .*allowed_hosts/, 'a host that is not allowed any more');
$node->append_conf('postgresql.conf', "zcsync.allowed_hosts = '127.0.0.1'");
$node->reload;
is($simulator->get('ledger', vendor => 'zendesk')->{writes} ? scalar @{ $simulator->get('ledger', vendor => 'zendesk')->{writes} } : 0,
	0, 'nothing was written');

my $found = value(q{SELECT kind || ' ' || count(*) FROM zcsync.discover('acme') GROUP BY kind ORDER BY kind});
is($found, "brand 1\nfield 17\nform 1\ngroup 3\nstatus 8", 'discover() finds fields, statuses, groups, brands and forms');
is(value(q{SELECT detail ->> 'category' FROM zcsync.discover('acme') WHERE path = 'Escalated'}), 'open', 'with details');
is(value(q{SELECT count(*) FROM zcsync.statuses WHERE name = 'Escalated' AND category = 'open' AND sync_state = 'synced'}), 1, 'and keeps them');
is(value(q{SELECT count(*) || ' ' || count(DISTINCT remote_id) FROM zcsync.fields}), '20 20', 'once');
is(value(q{SELECT count(*) FROM zcsync.sync_queue}), 0, 'without queueing anything');

# -------------------------------------------------------------- ClickUp

value(qq{SELECT zcsync.add_account('dev', 'clickup', '{"base_url": "$clickup"}', '{"token": "pk_wrong"}')});
like(check('dev'), qr/connection: true\nlogin: false \| the credentials are not accepted: .*Token invalid/, 'a wrong token');
value(q{SELECT zcsync.set_credentials('dev', '{"access_token": "pk_183_DEV"}')});
like(check('dev'), qr/login: false/, 'a personal token is none of OAuth');
value(q{SELECT zcsync.set_credentials('dev', '{"token": "pk_183_DEV"}')});
like(check('dev'), qr/workspace: false \| setting "workspace_id" is missing; the token sees: 9001001 "dev" \| .*alter_account\('dev'/,
	'no workspace yet: says which there are');
value(q{SELECT zcsync.alter_account('dev', '{"workspace_id": 9001002}')});
like(check('dev'), qr/workspace: false \| workspace 9001002 is not among those that the token sees: 9001001 "dev"/, 'another workspace');
value(q{SELECT zcsync.alter_account('dev', '{"workspace_id": 9001001}')});
is(check('dev'), good('settings', 'credentials', 'connection', 'login', 'workspace', 'read tasks'), 'a good account');

my $lists = $simulator->get('info')->{clickup}{dev}{lists};
value(sprintf q{INSERT INTO zcsync.streams (account_id, kind, writes, scope)
	VALUES (zcsync.account('dev'), 'tasks', true, '{"list_ids": ["%s", "%s", "90199999999"]}')}, @$lists{qw(Bugs Management)});
my $verdict = check('dev');
like($verdict, qr/read list $lists->{Bugs}: true\nwrite list $lists->{Bugs}: true/, 'a list that is shared, for reading and writing');
like($verdict, qr/read list $lists->{Management}: false \| .* \| .*share it with that user/, 'one that is not');
like($verdict, qr/read list 90199999999: false/, 'one that does not exist');
value(q{DELETE FROM zcsync.streams});

# A path before anything was discovered: asks.
is(value(q{SELECT zcsync._resolve_list(zcsync.account('dev'), 'Product/Bugs')}), $lists->{Bugs}, 'a list by the end of its path');
is(value(q{SELECT string_agg(path, ', ' ORDER BY path) FROM zcsync.lists}),
	'Engineering/Product/Bugs, Engineering/Product/Requests, Operations/Inbox', 'the lists are kept');

is(value(q{SELECT kind || ' ' || string_agg(path, ', ' ORDER BY path) FROM zcsync.discover('dev') GROUP BY kind ORDER BY kind}),
	"folder Engineering/Product\nlist Engineering/Product/Bugs, Engineering/Product/Requests, Operations/Inbox\n"
	  . "space Engineering, Operations\nworkspace dev", 'discover() finds the hierarchy');
is(value(q{SELECT detail ->> 'statuses' FROM zcsync.lists WHERE path LIKE '%/Bugs'}), '["to do", "in progress", "in review", "complete"]', 'statuses');
is(value(q{SELECT jsonb_array_length(detail -> 'fields') FROM zcsync.lists WHERE path LIKE '%/Bugs'}), 6, 'and fields');
is(value(qq{SELECT remote_id || ' ' || category FROM zcsync.statuses WHERE scope_id = '$lists->{Bugs}' AND name = 'in review'}),
	"$lists->{Bugs}:in review custom", 'statuses have a row per list');
is(value(qq{SELECT count(*) FROM zcsync.fields WHERE account_id = zcsync.account('dev') AND scope_id = '$lists->{Bugs}'}), 6, 'fields, too');

# A token that no longer sees the workspace says nothing about its lists.
value(q{SELECT zcsync.alter_account('dev', '{"workspace_id": 9001002}')});
my (undef, undef, $unseen) = $node->psql('postgres', q{SELECT count(*) FROM zcsync.discover('dev')});
like($unseen, qr/ERROR:  the token of account "dev" sees no workspace 9001002\nHINT:  SELECT \* FROM zcsync.check_account\('dev'\);/, 'a workspace that is not seen: an error');
is(value(q{SELECT count(*) FROM zcsync.lists}), 3, 'and its lists stay');
value(q{SELECT zcsync.alter_account('dev', '{"workspace_id": 9001001}')});

# A list that is renamed, and one that is cut off by the vendor's limit.
value(q{UPDATE zcsync.lists SET path = 'Engineering/Product/Old name', detailed_at = now() - interval '1 day' WHERE path LIKE '%/Inbox'});
$simulator->post('faults', { fault => 'rate_limit', path => "/list/$lists->{Bugs}/field" });
my ($rc, $out, $err) = $node->psql('postgres', q{SELECT count(*) FROM zcsync.discover('dev')});
like($err, qr/WARNING:  the vendor allows no more requests at the moment.*HINT:.*again in a minute/s, 'throttled: a warning');
is(value(q{SELECT path FROM zcsync.lists ORDER BY detailed_at DESC LIMIT 1}), 'Operations/Inbox', 'the list that was read longest ago came first');
$simulator->no_faults;
$simulator->post('faults', { fault => 'html_502', path => '/team' });
($rc, $out, $err) = $node->psql('postgres', q{SELECT * FROM zcsync.discover('dev')});
like($err, qr/ERROR:  account "dev" could not be read: .*HINT:  .*/s, 'a vendor in trouble: an error');
$simulator->no_faults;

my $log = slurp_file($node->logfile);
foreach my $secret ('secret-acme', 'token-acme', 'pk_183_DEV')
{
	ok($log !~ /$secret/, "$secret is not in the log");
	is(value("SELECT count(*) FROM zcsync.alerts WHERE alerts::text LIKE '%$secret%'"), 0, 'nor in an alert');
}

$node->stop;
done_testing();
