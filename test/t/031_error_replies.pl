# What the connectors send, and what they make of errors: class, message, hint,
# limits.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;
use ZcsyncTest;

use CannedServer;

my $json = JSON::PP->new->canonical->allow_nonref->utf8;
my $server = CannedServer->start(PostgreSQL::Test::Utils::tempdir());
my $url = $server->url;
my $node = new_node('main', conf => "zcsync.databases = ''");
$node->start;
setup_zcsync($node, 'postgres');

sub value { return $node->safe_psql('postgres', "SET client_min_messages = error; $_[0]"); }
sub quote { my ($text) = @_; return "'" . $text =~ s/'/''/gr . "'"; }

value(qq{
	SELECT zcsync.add_account('zendesk', 'zendesk', '{"subdomain": "acme", "base_url": "$url/"}', '{"email": "admin\@example.com", "api_token": "top-secret-token"}');
	SELECT zcsync.add_account('clickup', 'clickup', '{"workspace_id": "1", "base_url": "$url"}', '{"token": "pk_1_TOPSECRET"}');});

my %json_type = ('Content-Type' => 'application/json');
my %get = (
	zendesk => { op => 'incremental', kind => 'tickets', start_time => 1 },
	clickup => { op => 'get_task', task_id => '9hx' });
my $create = { op => 'create_task', list_id => '11', body => { name => 'x' } };

# One exchange: what came of it, as a hash.
sub call
{
	my ($vendor, $request, $status, $body, %headers) = @_;

	$body = $json->encode($body) if ref $body;
	%headers = %json_type if !%headers;
	$server->reply($status, [ map { "$_: $headers{$_}" } sort keys %headers ], $body);
	return $json->decode(value(sprintf "SELECT to_jsonb(c) FROM zcsync._call(zcsync.account('%s'), %s) AS c", $vendor, quote($json->encode($request))));
}

# class, message and hint of an error
sub check
{
	my ($name, $call, $class, $message, $hint) = @_;

	is($call->{class}, $class, "$name: class") or diag explain $call;
	like($call->{message}, $message, "$name: message");
	like($call->{hint} // 'none', $hint // qr/^none$/, "$name: hint");
	unlike(join(' ', grep { defined } @{$call}{qw(message hint)}), qr/secret|\n|</i, "$name: no secret, no markup, one line");
}

# -------------------------------------------------------------- requests

call('zendesk', { op => 'incremental', kind => 'tickets', cursor => 'MTU3+/=', per_page => 1000, include => 'users' }, 200, { tickets => [] });
my ($line, $headers) = $server->request;
is($line, 'GET /api/v2/incremental/tickets/cursor?cursor=MTU3%2B%2F%3D&per_page=1000&include=users HTTP/1.1', 'an export');
is($headers->{accept}, 'application/json', 'Accept');
is($headers->{authorization}, 'Basic ' . encode_base64("admin\@example.com/token:top-secret-token", ''), 'an API token');
call('zendesk', { op => 'show_many', ids => [ '1', '2' ], include => 'users' }, 200, { tickets => [] });
like(($server->request)[0], qr{^GET /api/v2/tickets/show_many\?ids=1%2C2&include=users }, 'tickets by id');
value(q{SELECT zcsync.set_credentials('zendesk', '{"client_id": "c", "client_secret": "top-secret-secret"}')});
my $call = call('zendesk', { op => 'count' }, 200, { access_token => 'fetched-secret', expires_in => 1800, count => {} });
is($call->{class}, 'done', 'a token is fetched first');
is(($server->request)[1]{authorization}, 'Bearer fetched-secret', 'and used');
is(value(q{SELECT extract(epoch FROM expires_at - now()) BETWEEN 600 AND 1800 FROM zcsync.credentials WHERE name = 'access_token'}), 't', 'and its lifetime known');
call('zendesk', { op => 'token' }, 200, { access_token => 'x', expires_in => 1800 });
($line, $headers, my $body) = $server->request;
like($line, qr{^POST /oauth/tokens }, 'request for a token');
is_deeply($json->decode($body), { grant_type => 'client_credentials', client_id => 'c', client_secret => 'top-secret-secret', scope => 'read' }, 'its body');
is($headers->{'content-type'}, 'application/json', 'JSON, not a form');
is($headers->{'content-encoding'}, undef, 'a short body is not compressed');
value(sprintf q{SELECT zcsync.set_credentials('zendesk', '{"client_id": "%s", "client_secret": "top-secret-secret"}')}, 'c' x 2000);
call('zendesk', { op => 'token' }, 200, { access_token => 'x', expires_in => 1800 });
($line, $headers, $body) = $server->request;
is($headers->{'content-encoding'}, undef, 'nor is a long one, unasked');
is($json->decode($body)->{client_id}, 'c' x 2000, 'it is sent as it is');
value(q{SELECT zcsync.set_credentials('zendesk', '{"client_id": "c", "client_secret": "top-secret-secret"}')});

check('a refused client', call('zendesk', { op => 'token' }, 400, { error => 'invalid_client', error_description => 'No such client' }), 'auth', qr/^invalid_client: No such client$/, qr/set_credentials/);

call('clickup', { op => 'team_tasks', team_id => '1', page => 0, list_ids => [ '11', '12' ], include_closed => JSON::PP::true, date_updated_gt => 1795165201000 }, 200, { tasks => [] });
($line, $headers) = $server->request;
is($line, 'GET /api/v2/team/1/task?page=0&include_closed=true&list_ids%5B%5D=11&list_ids%5B%5D=12&date_updated_gt=1795165201000 HTTP/1.1', 'tasks of lists');
is($headers->{authorization}, 'pk_1_TOPSECRET', 'a personal token, as it is');
is($headers->{'content-type'}, 'application/json', 'Content-Type even without a body');
call('clickup', { op => 'create_task', list_id => '11', body => { name => 'x' x 100_000 } }, 200, { id => '9hx' });
($line, $headers, $body) = $server->request;
is($line, 'POST /api/v2/list/11/task HTTP/1.1', 'a create');
is(length $body, 100_012, 'its body, whole and not compressed');
call('clickup', { op => 'add_tag', task_id => '9hx', tag => "a b/c?\x{fc}" }, 200, {});
like(($server->request)[0], qr{^POST /api/v2/task/9hx/tag/a%20b%2Fc%3F%C3%BC }, 'a tag is one part of the path');
value(q{SELECT zcsync.set_credentials('clickup', '{"access_token": "oauth-secret"}')});
call('clickup', { op => 'team' }, 200, { teams => [] });
is(($server->request)[1]{authorization}, 'Bearer oauth-secret', 'an OAuth token');
value(q{SELECT zcsync.set_credentials('clickup', '{"token": "pk_1_TOPSECRET"}')});
value(q{SELECT zcsync.set_credentials('zendesk', '{"email": "admin@example.com", "api_token": "top-secret-token"}')});
my $ticket = { op => 'create_ticket', idempotency_key => 'a-key', body => { ticket => { subject => 'x' } } };
call('zendesk', $ticket, 201, { ticket => { id => 1 } });
($line, $headers, $body) = $server->request;
is($line, 'POST /api/v2/tickets HTTP/1.1', 'a new ticket');
is($headers->{'idempotency-key'}, 'a-key', 'its key');
is_deeply($json->decode($body), { ticket => { subject => 'x' } }, 'its body');
my $change = { op => 'update_ticket', ticket_id => '35436', body => { ticket => { status => 'open' } } };
call('zendesk', $change, 200, { ticket => { id => 35436 } });
($line, $headers) = $server->request;
is($line, 'PUT /api/v2/tickets/35436 HTTP/1.1', 'a change of one');
is($headers->{'idempotency-key'}, undef, 'has no key');
call('zendesk', { op => 'find_ticket', external_id => 'zcsync-1&2' }, 200, { tickets => [] });
is(($server->request)[0], 'GET /api/v2/tickets?external_id=zcsync-1%262 HTTP/1.1', 'a look-up');
check('no key', call('zendesk', { op => 'create_ticket', body => {} }, 200, {}), 'config', qr/^request has no idempotency key$/, qr/./);

# what cannot be asked is not
check('no list', call('clickup', { op => 'create_task', list_id => undef, body => {} }, 200, {}), 'config', qr/^request has no "list_id"$/, qr/./);
check('dots for an id', call('clickup', { op => 'get_task', task_id => '..' }, 200, {}), 'config', qr/^request has no "task_id"$/, qr/./);
check('no body', call('clickup', { op => 'create_task', list_id => '1' }, 200, {}), 'config', qr/^request has no body$/, qr/./);
check('no such operation', call($_, { op => 'nonsense' }, 200, {}), 'config', qr/has no operation "nonsense"$/, qr/./) foreach qw(zendesk clickup);
value(q{UPDATE zcsync.accounts SET settings = '{"subdomain": "evil.example/"}' WHERE name = 'zendesk'});
check('subdomain', call('zendesk', $get{zendesk}, 200, {}), 'config', qr/no valid subdomain/, qr/alter_account/);
value(qq{UPDATE zcsync.accounts SET settings = '{"subdomain": "acme", "base_url": "$url"}' WHERE name = 'zendesk'});

# -------------------------------------------------------------- Zendesk

my $export = $get{zendesk};
check('Zendesk 400', call('zendesk', $export, 400, { error => { title => 'Invalid attribute', message => 'You passed an invalid value for the id attribute.' } }),
	'rejected', qr/^Invalid attribute: You passed an invalid value for the id attribute\.$/);
check('Zendesk errors array', call('zendesk', $export, 400, { errors => [ { code => 'InvalidPaginationDepth', title => 'Depth', detail => 'Too deep', status => '400' } ] }),
	'rejected', qr/^InvalidPaginationDepth: Too deep$/);
check('Zendesk 401', call('zendesk', $export, 401, { error => "Couldn't authenticate you" }), 'auth', qr/^Couldn't authenticate you$/, qr/set_credentials\('zendesk'/);
check('Zendesk OAuth 401', call('zendesk', $export, 401, { error => 'invalid_token', error_description => 'The access token expired' }),
	'auth', qr/^invalid_token: The access token expired$/, qr/set_credentials/);
check('Zendesk 403', call('zendesk', $export, 403, { error => { title => 'Forbidden', message => 'You do not have access to this page.' } }),
	'rejected', qr/^Forbidden: You do not have access/, qr/administrator/);
check('Zendesk 403 elsewhere', call('zendesk', { op => 'custom_statuses' }, 403, { error => 'Forbidden' }), 'rejected', qr/^Forbidden$/, qr/plan/);
check('Zendesk 404', call('zendesk', $export, 404, { error => 'RecordNotFound', description => 'Not found' }), 'not_found', qr/^RecordNotFound: Not found$/, qr/deleted/);
check('Zendesk wrong path', call('zendesk', $export, 404, { error => 'InvalidEndpoint', description => 'Not found' }), 'not_found', qr/^InvalidEndpoint/, qr/subdomain/);
check('Zendesk unknown subdomain', call('zendesk', $export, 404, "<!DOCTYPE html>\n<html><head>\n<title>No help desk\n at acme</title></head><body>x</body></html>", 'Content-Type' => 'text/html'),
	'not_found', qr/^web page "No help desk at acme"$/, qr/subdomain/);
check('Zendesk 409', call('zendesk', $export, 409, { error => 'DatabaseConflict', description => 'Database collision' }), 'conflict', qr/^DatabaseConflict: Database collision$/, qr/same time/);
check('Zendesk 409 of a change', call('zendesk', $change, 409, { error => 'DatabaseConflict', description => 'Database collision' }), 'conflict', qr/^DatabaseConflict/, qr/read and merged/);
check('Zendesk 409 of a create', call('zendesk', $ticket, 409, { error => 'DatabaseConflict', description => 'Database collision' }), 'conflict', qr/^DatabaseConflict/, qr/looked up/);
check('Zendesk 400 of a key', call('zendesk', $ticket, 400, { error => 'IdempotentRequestError', description => "Request parameters don't match the given idempotency key" }),
	'conflict', qr/^IdempotentRequestError: Request parameters/, qr/looked up/);
check('Zendesk 400 of a create', call('zendesk', $ticket, 400, { error => 'Other' }), 'rejected', qr/^Other$/);
check('Zendesk 403 of a write', call('zendesk', $_, 403, { error => 'Forbidden' }), 'rejected', qr/^Forbidden$/, qr/scope "read write": .*set_credentials\('zendesk'/) for $ticket, $change;
check('Zendesk 429 of a write', call('zendesk', $change, 429, 'Number of allowed API requests per minute exceeded', 'Content-Type' => 'text/plain', 'X-Rate-Limit-Remaining' => 600, 'Retry-After' => 400), 'throttled', qr/^Number of allowed/);
check('Zendesk 422', call('zendesk', $export, 422, { error => 'RecordInvalid', description => 'Record validation errors',
	details => { status => [ { description => 'Status: closed prevents ticket update', error => 'x' } ], base => [ { description => 'Other' } ] } }),
	'rejected', qr/^RecordInvalid: Record validation errors \((Status: closed prevents ticket update; Other|Other; Status: closed prevents ticket update)\)$/, qr/^A closed ticket cannot be changed/);
check('Zendesk 422 details alone', call('zendesk', $export, 422, { details => { base => [ { description => 'Just this' } ] } }), 'rejected', qr/^\(Just this\)$/);
check('Zendesk 429 text', call('zendesk', $export, 429, 'Number of allowed API requests per minute exceeded', 'Content-Type' => 'text/plain', 'Retry-After' => 7),
	'throttled', qr/^Number of allowed API requests per minute exceeded$/);
check('Zendesk 429 JSON', call('zendesk', $export, 429, { error => 'APIRateLimitExceeded', description => 'Number of allowed incremental export API requests per minute exceeded' }),
	'throttled', qr/^APIRateLimitExceeded: Number/);
check('Zendesk 502', call('zendesk', $export, 502, '<html><head><title>502 Bad Gateway</title></head></html>', 'Content-Type' => 'text/html'), 'vendor', qr/^web page "502 Bad Gateway"$/);
check('Zendesk 503 empty', call('zendesk', $export, 503, ''), 'vendor', qr/^HTTP status 503 without a text$/);
check('Zendesk quotes a secret', call('zendesk', $export, 400, { error => 'No token top-secret-token and again top-secret-token for admin@example.com' }),
	'rejected', qr/^No token \*{16} and again \*{16} for \*{17}$/);
check('an endless message', call('zendesk', $export, 400, { error => "\x{e4}" x 3000 }), 'rejected', qr/^.{250}$/);
check('an error that is no text', call('zendesk', $export, 400, "\xff\xfe\x01\x02 x", 'Content-Type' => 'text/plain'), 'rejected', qr/./);

$call = call('zendesk', $export, 422, { error => 'InvalidValue', description => 'Too recent start_time. Use a start_time older than 5 minutes' });
is($call->{class}, 'done', 'an export that starts too late is an empty one');
is_deeply($call->{reply}, { tickets => [], end_of_stream => JSON::PP::true, after_cursor => undef }, 'with nothing in it');
$call = call('zendesk', { op => 'incremental', kind => 'users', start_time => 1 }, 422, { error => 'InvalidValue', description => 'Too recent start_time. Use a start_time older than 5 minutes' });
is_deeply($call->{reply}{users}, [], 'of users, too');
check('an anonymous user', call('zendesk', { op => 'users_me' }, 200, { user => { id => undef, name => 'Anonymous user' } }), 'auth', qr/anonymous/, qr/set_credentials/);
is(call('zendesk', { op => 'users_me' }, 200, { user => { id => 7 } })->{class}, 'done', 'a user');

# a success that is none
check('an empty page', call('zendesk', $export, 200, ''), 'broken', qr/^reply has no "tickets"$/);
check('another document', call('zendesk', $export, 200, { users => [] }), 'broken', qr/^reply has no "tickets"$/);
check('a list', call('zendesk', $export, 200, '["tickets"]'), 'broken', qr/^reply has no "tickets"$/);
check('half a page', call('zendesk', $export, 200, '{"tickets": [{"id": 1}, {"i'), 'broken', qr/not valid JSON/);
check('a web page', call('zendesk', $export, 200, '<html><title>Login</title></html>', 'Content-Type' => 'text/html'), 'vendor', qr/web page/);

# -------------------------------------------------------------- ClickUp

# request, status, code, class, hint
my @clickup = (
	[ $create, 400, 'CRTSK_001', 'rejected', qr/no such status/ ],
	[ $get{clickup}, 400, 'ITEM_114', 'rejected', qr/no such status/ ],
	[ $create, 400, 'INPUT_003', 'rejected', undef ],
	[ $create, 400, 'FIELD_011', 'rejected', qr/zcsync\.fields/ ],
	[ $create, 400, 'FIELD_033', 'rejected', qr/plan/ ],
	[ $create, 403, 'FIELD_033', 'rejected', qr/plan/ ],
	[ $create, 400, 'FIELD_115', 'rejected', qr/does not have this custom field/ ],
	[ $create, 400, 'ITEM_137', 'rejected', qr/same list/ ],
	[ $create, 400, 'ITEM_246', 'rejected', qr/default type/ ],
	[ $create, 500, 'FIELD_017', 'rejected', undef ],
	[ $create, 500, 'SOME_001', 'broken', undef ],
	[ $get{clickup}, 500, 'SOME_001', 'vendor', undef ],
	[ $get{clickup}, 401, 'OAUTH_017', 'auth', qr/set_credentials/ ],
	[ $get{clickup}, 401, 'OAUTH_019', 'auth', qr/set_credentials/ ],
	[ $get{clickup}, 401, 'OAUTH_025', 'auth', qr/set_credentials/ ],
	[ $get{clickup}, 401, 'OAUTH_077', 'auth', qr/set_credentials/ ],
	[ $get{clickup}, 401, 'OAUTH_023', 'rejected', qr/Share the list/ ],
	[ $get{clickup}, 401, 'OAUTH_027', 'rejected', qr/Share the list/ ],
	[ $get{clickup}, 401, 'OAUTH_045', 'rejected', qr/Share the list/ ],
	[ $get{clickup}, 401, 'OAUTH_099', 'auth', qr/set_credentials/ ],
	[ $get{clickup}, 401, 'ITEM_013', 'not_found', qr/deleted/ ],
	[ $get{clickup}, 404, 'ITEM_013', 'not_found', qr/deleted/ ],
	[ $create, 404, 'ITEM_015', 'not_found', qr/deleted/ ],
	[ $get{clickup}, 429, 'APP_002', 'throttled', undef ],
	[ $get{clickup}, 400, 'APP_002', 'throttled', undef ]);
check("ClickUp $_->[1] $_->[2]", call('clickup', $_->[0], $_->[1], { err => 'Some text', ECODE => $_->[2] }), $_->[3], qr/^Some text \($_->[2]\)$/, $_->[4]) foreach @clickup;
check('ClickUp 401 without a code', call('clickup', $get{clickup}, 401, { err => 'Token invalid' }), 'auth', qr/^Token invalid$/, qr/set_credentials/);
check('ClickUp wrong path', call('clickup', $get{clickup}, 404, { err => 'Route not found' }), 'not_found', qr/^Route not found$/, qr/base_url/);
check('ClickUp 403', call('clickup', $get{clickup}, 403, { err => 'No' }), 'rejected', qr/^No$/, qr/right/);
check('ClickUp 502', call('clickup', $create, 502, '<html><body>x</body></html>', 'Content-Type' => 'text/html'), 'vendor', qr/^a web page$/);
check('ClickUp odd error', call('clickup', $create, 400, { err => { a => 1 }, ECODE => 5 }), 'rejected', qr/\{.*ECODE/);
check('ClickUp half a task', call('clickup', $create, 200, {}), 'broken', qr/^reply has no "id"$/);
is(call('clickup', { op => 'set_field', task_id => 'x', field_id => 'y', body => { value => 1 } }, 200, {})->{class}, 'done', 'a field needs no reply');
is(call('clickup', { op => 'clear_field', task_id => 'x', field_id => 'y' }, 204, '')->{class}, 'done', 'nor does clearing it');

# -------------------------------------------------------------- HaloPSA

value(qq{SELECT zcsync.add_account('halopsa', 'halopsa', '{"base_url": "$url/api/", "auth_url": "$url/auth/", "tenant": "a&b=c"}', '{"client_id": "c/+d", "client_secret": "top&secret=value %+x", "scope": "read:tickets edit:tickets"}')});
call('halopsa', { op => 'token' }, 200, { access_token => 'fetched-secret', expires_in => 3600 });
($line, $headers, $body) = $server->request;
is($line, 'POST /auth/token?tenant=a%26b%3Dc HTTP/1.1', 'HaloPSA: the tenant in the query');
is($headers->{'content-type'}, 'application/x-www-form-urlencoded', 'a form');
is($body, 'grant_type=client_credentials&client_id=c%2F%2Bd&client_secret=top%26secret%3Dvalue%20%25%2Bx&scope=read%3Atickets%20edit%3Atickets', 'with its values encoded');
value(q{SELECT zcsync.alter_account('halopsa', '{"tenant_in": "body", "auth_url": null}')});
call('halopsa', { op => 'token' }, 200, { access_token => 'fetched-secret', expires_in => 3600 });
($line, $headers, $body) = $server->request;
is($line, 'POST /auth/token HTTP/1.1', 'the authorisation server beside the API');
like($body, qr/&scope=read%3Atickets%20edit%3Atickets&tenant=a%26b%3Dc$/, 'the tenant in the form');
call('halopsa', { op => 'list', entity => 'Team' }, 200, { access_token => 'fetched-secret', expires_in => 3600, teams => [] });
my %halo = (op => 'get', entity => 'Tickets', id => '12');
call('halopsa', { %halo, includedetails => JSON::PP::true }, 200, { id => 12 });
($line, $headers) = $server->request;
is($line, 'GET /api/Tickets/12?includedetails=true HTTP/1.1', 'a ticket');
is($headers->{authorization}, 'Bearer fetched-secret', 'with the token');
my %list = (op => 'list', entity => 'Tickets', pageinate => JSON::PP::true, page_no => 1, page_size => 100, lastupdatefromdate => '2026-01-01T00:00:00', began => 'x', index => JSON::PP::true);
is(call('halopsa', \%list, 200, { record_count => 0, tickets => [] })->{class}, 'done', 'a list');
is(($server->request)[0], 'GET /api/Tickets?pageinate=true&page_no=1&page_size=100&lastupdatefromdate=2026-01-01T00%3A00%3A00 HTTP/1.1', 'its parameters and no others');
is(call('halopsa', { op => 'list', entity => 'Status' }, 200, [])->{class}, 'done', 'a bare list');
call('halopsa', { op => 'post', entity => 'Tickets', item => { id => 12, summary => "x\x{e4}" } }, 201, [ { id => 12 } ]);
($line, $headers, $body) = $server->request;
is($line, 'POST /api/Tickets?returnall=true HTTP/1.1', 'a write');
is_deeply($json->decode($body), [ { id => 12, summary => "x\x{e4}" } ], 'an array of one');
call('halopsa', { op => 'find', entity => 'Opportunities', page => 2, match => { third_party_id_string => 'x' } }, 200, { record_count => 0, tickets => [] });
is(($server->request)[0], 'GET /api/Opportunities?pageinate=true&page_size=100&order=id&orderdesc=true&includeclosed=true&nocache=true&page_no=2 HTTP/1.1', 'a look-up');
check('HaloPSA: an entity that climbs', call('halopsa', { op => 'list', entity => '..' }, 200, []), 'config', qr/^request has no "entity"$/, qr/./);
check('HaloPSA: nothing to write', call('halopsa', { op => 'post', entity => 'Tickets' }, 200, []), 'config', qr/no element/, qr/./);
check('HaloPSA: no such operation', call('halopsa', { op => 'nonsense' }, 200, {}), 'config', qr/has no operation/, qr/./);

my %post = (op => 'post', entity => 'Tickets', item => { summary => 'x' });
check('HaloPSA 400 message', call('halopsa', \%post, 400, { message => 'An Outcome must be entered for this Action' }), 'rejected', qr/^An Outcome must be entered for this Action$/);
check('HaloPSA 400 Message', call('halopsa', \%post, 400, { Message => 'Please complete the Details' }), 'rejected', qr/^Please complete the Details$/);
check('HaloPSA 400 ClassName', call('halopsa', \%post, 400, { ClassName => 'System.Exception', Message => 'Category is required', Data => undef }), 'rejected', qr/^Category is required$/);
check('HaloPSA 400 resultCode', call('halopsa', \%post, 400, { resultCode => 400, errorMessage => 'Invalid status' }), 'rejected', qr/^Invalid status$/);
check('HaloPSA 400 error', call('halopsa', \%post, 400, { error => 'invalid_request', error_description => 'No' }), 'rejected', qr/^invalid_request: No$/);
check('HaloPSA 400 text', call('halopsa', \%post, 400, "Cannot deserialize\r\nthe JSON", 'Content-Type' => 'text/plain'), 'rejected', qr/^Cannot deserialize the JSON$/);
check('HaloPSA 400 page', call('halopsa', \%post, 400, '<!DOCTYPE html><html><head><title>Error</title></head></html>', 'Content-Type' => 'text/html'), 'rejected', qr/^web page "Error"$/);
check('HaloPSA 401', call('halopsa', \%halo, 401, { error => 'invalid_token', error_description => 'The token is expired.' }), 'auth', qr/^invalid_token: The token/, qr/set_credentials/);
check('HaloPSA 401 empty', call('halopsa', \%halo, 401, ''), 'auth', qr/^HTTP status 401/, qr/set_credentials/);
check('HaloPSA 403', call('halopsa', \%halo, 403, { message => 'You do not have permission' }), 'rejected', qr/permission/, qr/permission/);
check('HaloPSA 404 of a list', call('halopsa', \%list, 404, { message => 'No HTTP resource was found' }), 'not_found', qr/No HTTP resource/, qr/host/);
check('HaloPSA 404 page', call('halopsa', \%halo, 404, '<html><head><title>404</title></head></html>', 'Content-Type' => 'text/html'), 'not_found', qr/^web page "404"$/, qr/host/);
check('HaloPSA 404 of a write', call('halopsa', \%post, 404, { message => 'No such ticket' }), 'not_found', qr/No such ticket/, qr/host/);
check('HaloPSA 404 of a record', call('halopsa', \%halo, 404, { message => 'The Ticket was not found' }), 'not_found', qr/^The Ticket was not found$/, qr/deleted, or the agent.*host/);
$call = call('halopsa', { %halo, may_be_gone => 1 }, 404, { message => 'The Ticket was not found' });
is($call->{class}, 'done', 'HaloPSA 404 of a record that may be gone is an answer');
is_deeply($call->{reply}, { zcsync_missing => JSON::PP::true }, 'which says that it is not there');
check('HaloPSA 404 page of one', call('halopsa', { %halo, may_be_gone => 1 }, 404, '<html><head><title>404</title></head></html>', 'Content-Type' => 'text/html'), 'not_found', qr/^web page "404"$/, qr/host/);
check('HaloPSA 403 of one', call('halopsa', { %halo, may_be_gone => 1 }, 403, { message => 'You do not have permission' }), 'rejected', qr/permission/, qr/permission/);
check('HaloPSA 200 without the record', call('halopsa', \%halo, 200, {}), 'broken', qr/^reply has no "id"$/);
check('HaloPSA 200 without a list', call('halopsa', \%list, 200, { message => 'x' }), 'broken', qr/^reply has no list$/);
check('HaloPSA 500', call('halopsa', \%post, 500, { ClassName => 'System.Exception', Message => 'Object reference not set' }), 'vendor', qr/^Object reference not set$/);
check('HaloPSA 429', call('halopsa', \%post, 429, 'Rate Limit Reached - 300 Requests per rolling 5 minute window', 'Content-Type' => 'text/plain'), 'throttled', qr/^Rate Limit Reached/);
check('HaloPSA: a refused client', call('halopsa', { op => 'token' }, 401, { error => 'invalid_client', error_description => 'Wrong top&secret=value %+x' }), 'auth', qr/^invalid_client: Wrong \*+$/, qr/set_credentials.*tenant/);
check('HaloPSA: a refused scope', call('halopsa', { op => 'token' }, 400, { error => 'invalid_scope' }), 'auth', qr/^invalid_scope$/, qr/scope/);
check('HaloPSA: no such authorisation server', call('halopsa', { op => 'token' }, 404, ''), 'not_found', qr/404/, qr/auth_url/);

# What replies quote of our secrets is hidden, whatever its form; the scope is
# not, since people must see which one was refused.
value(q{SELECT zcsync.set_credentials('halopsa', '{"client_id": "c/+d", "client_secret": "top&secret=value %+x", "scope": "read:tickets edit:tickets"}')});
check("HaloPSA: quoted $_->[0]", call('halopsa', { op => 'token' }, 400, { error => 'invalid_request', error_description => "Wrong $_->[1]" }), 'auth', qr/^invalid_request: Wrong \*+(?:; \*+)*$/, qr/set_credentials/)
  foreach [ 'percent-encoded', 'top%26secret%3Dvalue%20%25%2Bx; top%26secret%3dvalue+%25%2bx' ],
  [ 'in HTML', 'top&amp;secret=value %+x' ], [ 'in base64', join '; ', map { encode_base64("$_:top&secret=value %+x", '') } '', 'c', 'cc' ],
  [ 'cut', 'top&secret=va' ];
check('HaloPSA: a scope', call('halopsa', { op => 'token' }, 400, { error => 'invalid_scope', error_description => 'No scope read:tickets edit:tickets' }), 'auth', qr/No scope read:tickets edit:tickets$/, qr/scope/);
my $basic = encode_base64("admin\@example.com/token:top-secret-token", '');
check("Zendesk: quoted $_->[0]", call('zendesk', $export, 400, $_->[1], 'Content-Type' => 'text/plain'), 'rejected', qr/^Not good: \S+ ?\*+(?:%3D)*$/)
  foreach [ 'header', "Not good: Basic $basic" ], [ 'header for an address', 'Not good: Basic ' . $basic =~ tr{+/}{-_}r ],
  [ 'header, encoded', 'Not good: Basic%20' . $basic =~ s/=/%3D/gr ], [ 'token', 'Not good: x top-secret-token' ];
$call = call('zendesk', $export, 400, { error => 'Bad', description => 'x', quoted => [ 'top-secret-token', $basic ], more => 'y' x 100 });
unlike($json->encode($call->{reply}), qr/top-secret|\Q$basic\E/, 'nor is it kept of the reply');
is($call->{reply}{more}, 'y' x 100, 'whose rest is');
$call = call('zendesk', $export, 400, { error => 'Bad', description => 'x', more => 'y' x 10_000, quoted => 'top-secret-token' });
is(length $call->{reply}, 4000, 'of a long one the beginning is');

# Records that may be gone: only what says so is an answer.
my %task = (op => 'get_task', task_id => '9hx');
my %archived = (op => 'list_tasks', list_id => '11', page => 0, may_be_gone => 1);
my $deleted = { err => 'Task not found, deleted', ECODE => 'ITEM_013' };
check('ClickUp 404 of a task', call('clickup', \%task, 404, $deleted), 'not_found', qr/^Task not found, deleted \(ITEM_013\)$/, qr/deleted, or is not shared/);
is_deeply(call('clickup', { %task, may_be_gone => 1 }, 404, $deleted)->{reply}, { zcsync_missing => JSON::PP::true }, 'ClickUp 404 of a task that may be gone');
check('ClickUp 401 with the code of a task', call('clickup', { %task, may_be_gone => 1 }, 401, $deleted), 'not_found', qr/ITEM_013/, qr/./);
check('ClickUp 404 without a code', call('clickup', { %task, may_be_gone => 1 }, 404, { err => 'Route not found' }), 'not_found', qr/^Route not found$/, qr/base_url/);
check('ClickUp task that is not shared', call('clickup', { %task, may_be_gone => 1 }, 401, { err => 'Team not authorized', ECODE => 'OAUTH_027' }), 'rejected', qr/OAUTH_027/, qr/Share/);
is_deeply(call('clickup', \%archived, 401, { err => 'Team not authorized', ECODE => 'OAUTH_027' })->{reply}, { zcsync_missing => JSON::PP::true }, 'ClickUp list that is not shared is passed over');
is_deeply(call('clickup', \%archived, 404, { err => 'List not found', ECODE => 'ITEM_015' })->{reply}, { zcsync_missing => JSON::PP::true }, 'and one that is gone');
check('ClickUp: a bad token is none of these', call('clickup', \%archived, 401, { err => 'Token invalid', ECODE => 'OAUTH_025' }), 'auth', qr/OAUTH_025/, qr/token/);

# -------------------------------------------------------------- limits

value(q{
	INSERT INTO zcsync.streams (account_id, kind, since) VALUES (zcsync.account('zendesk'), 'tickets', NULL), (zcsync.account('zendesk'), 'fields', NULL),
		(zcsync.account('clickup'), 'tasks', NULL);
	UPDATE zcsync.streams SET state = 'paused'});

# The budget of a class after a pull of a stream whose reply was this.
sub budget
{
	my ($vendor, $kind, $class, $status, $body, %headers) = @_;

	$server->reply($status, [ map { "$_: $headers{$_}" } sort keys %headers ], ref $body ? $json->encode($body) : $body);
	value(qq{
		DELETE FROM zcsync.sync_queue;
		UPDATE zcsync.account_budgets SET tokens = 10, paused_until = NULL, remote_limit = NULL, remote_remaining = NULL, remote_reset_at = NULL;
		UPDATE zcsync.accounts SET breaker_until = NULL, breaker_failures = 0, state = 'active';
		UPDATE zcsync.streams s SET state = CASE WHEN a.name = '$vendor' AND s.kind = '$kind' THEN 'active' ELSE 'paused' END, next_pull_at = now()
		FROM zcsync.accounts a WHERE a.account_id = s.account_id});
	value(q{CALL zcsync.run('10 seconds')});
	return value(qq{SELECT concat_ws(' ', coalesce(remote_limit::text, '-'), coalesce(remote_remaining::text, '-'),
			coalesce(round(extract(epoch FROM remote_reset_at - last_call_at) / 5) * 5 || ' s', '-'),
			coalesce('paused ' || round(extract(epoch FROM paused_until - last_call_at) / 5) * 5 || ' s', '-'))
		FROM zcsync.account_budgets WHERE account_id = zcsync.account('$vendor') AND class = '$class'});
}

is(budget('zendesk', 'fields', 'api', 200, { ticket_fields => [] }, %json_type, 'X-Rate-Limit' => 700, 'X-Rate-Limit-Remaining' => 699, 'ratelimit-reset' => 40),
	'700 699 40 s -', 'limits of Zendesk');
is(budget('zendesk', 'tickets', 'export', 200, { tickets => [], end_of_stream => JSON::PP::true, after_cursor => 'a' }, %json_type,
	'X-Rate-Limit' => 700, 'X-Rate-Limit-Remaining' => 699, 'zendesk-ratelimit-incremental-exports-cursor' => 'total=10; remaining=9; resets=30'),
	'10 9 30 s -', 'limits of exports');
is(budget('zendesk', 'tickets', 'export', 200, { tickets => [], end_of_stream => JSON::PP::true, after_cursor => 'a' }, %json_type,
	'X-Rate-Limit' => 700, 'X-Rate-Limit-Remaining' => 699, 'zendesk-ratelimit-incremental-exports' => 'total=8; remaining=7; resets=20'),
	'8 7 20 s -', 'under their shorter name, too');
is(value(q{SELECT calls || ' ' || lowered_from FROM zcsync.account_budgets WHERE account_id = zcsync.account('zendesk') AND class = 'export'}), '8 10', 'a lower limit than that of the plan counts');
is(budget('zendesk', 'tickets', 'export', 200, { tickets => [], end_of_stream => JSON::PP::true, after_cursor => 'a' }, %json_type, 'zendesk-ratelimit-incremental-exports' => 'total=10; remaining=7; resets=20'),
	'10 7 20 s -', 'until');
is(value(q{SELECT calls || coalesce(' ' || lowered_from, '') FROM zcsync.account_budgets WHERE account_id = zcsync.account('zendesk') AND class = 'export'}), '10', 'a higher one is named');
is(budget('zendesk', 'tickets', 'export', 200, { tickets => [], end_of_stream => JSON::PP::true, after_cursor => 'a' }, %json_type, 'X-Rate-Limit' => 700, 'X-Rate-Limit-Remaining' => 699),
	'- - - -', 'the limit of the account is not that of exports');
like(budget('zendesk', 'tickets', 'api', 200, { tickets => [], end_of_stream => JSON::PP::true, after_cursor => 'a' }, %json_type,
	'X-Rate-Limit' => 700, 'X-Rate-Limit-Remaining' => 650, 'zendesk-ratelimit-incremental-exports' => 'total=10; remaining=7; resets=20'),
	qr/^700 650 /, 'but that of all calls, which it counts among');
like(budget('zendesk', 'tickets', 'export', 429, 'Number of allowed', 'Content-Type' => 'text/plain', 'Retry-After' => 40), qr/paused 4[05] s$/, 'Retry-After pauses exports');
like(budget('zendesk', 'tickets', 'export', 429, 'Number of allowed', 'Content-Type' => 'text/plain'), qr/paused 30 s$/, 'without it they pause, too');
like(budget('zendesk', 'tickets', 'export', 429, 'x', 'Content-Type' => 'text/plain', 'zendesk-ratelimit-incremental-exports-cursor' => 'total=10; remaining=0; resets=55'), qr/paused 55 s$/,
	'until the end of the window');
# ClickUp names a moment, which does not depend on when the reply is read: reset, paused.
sub moment
{
	my ($status, $body, $reset, $unit) = @_;

	budget('clickup', 'tasks', 'api', $status, $body, %json_type, 'X-RateLimit-Limit' => 100, 'X-RateLimit-Remaining' => 98, 'X-RateLimit-Reset' => $reset . ($unit // ''));
	return value(qq{SELECT concat_ws(' ', remote_limit, remote_remaining, abs(extract(epoch FROM remote_reset_at) - $reset) < 3, coalesce((abs(extract(epoch FROM paused_until) - $reset) < 3)::text, '-'))
		FROM zcsync.account_budgets WHERE account_id = zcsync.account('clickup') AND class = 'api'});
}
is(moment(200, { tasks => [] }, time + 50), '100 98 t -', 'limits of ClickUp');
is(moment(200, { tasks => [] }, time + 50, '123'), '100 98 t -', 'in milliseconds');
is(moment(429, { err => 'Rate limit reached', ECODE => 'APP_002' }, time + 300), '100 98 t true', 'a 429 of ClickUp');

done_testing();
