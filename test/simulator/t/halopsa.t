# HaloPSA: credentials, lists, single records, limits.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Mojo::JSON qw(decode_json false true);
use Simulator::Process;
use Test::Mojo;
use Test::More;

my $simulator = Simulator::Process->start('--halopsa-tickets', 240, '--halopsa-leads', 60);
my $t = Test::Mojo->new;
my $base = $simulator->halopsa;
my $halopsa = sub (%body) { return $simulator->post('settings', { vendor => 'halopsa', %body }) };
my %client = (grant_type => 'client_credentials', client_id => 'client-acme', client_secret => 'secret-acme');
my $token = sub ($query = '', %more) {
	$t->post_ok("$base/auth/token$query", form => { %client, scope => 'all', %more });
	return { Authorization => 'Bearer ' . ($t->tx->res->json('/access_token') // '') };
};

# ------------------------------------------------------------------ credentials

my $auth = $token->('?tenant=acme');
$t->status_is(200)->json_is('/token_type', 'Bearer')->json_is('/expires_in', 3600)->json_is('/scope', 'all')->json_hasnt('/refresh_token');
my $get = sub ($path, $with = $auth) { return $t->get_ok("$base/api/$path" => $with) };
$get->('Status')->status_is(200);
$get->('Status', $token->('', tenant => 'acme'))->status_is(200, 'the tenant in the form');
$get->('Status', $token->())->status_is(200, 'no tenant');
$halopsa->(tenant_required => 1);
$token->();
$t->status_is(400)->json_is('/error', 'invalid_request');
$halopsa->(tenant_required => 0);
$token->('?tenant=globex');
$t->status_is(401)->json_is('/error', 'invalid_client')->json_has('/error_description');
$token->('', client_secret => 'wrong');
$t->status_is(401)->json_is('/error', 'invalid_client');
$token->('', grant_type => 'password');
$t->status_is(400)->json_is('/error', 'unsupported_grant_type');
$token->('', scope => 'read:tickets nonsense');
$t->status_is(400)->json_is('/error', 'invalid_scope');
$t->post_ok("$base/auth/token", json => {%client})->status_is(400, 'JSON is refused');

$t->get_ok("$base/api/authinfo")->status_is(200, 'needs no token')->json_is('/auth_url', "$base/auth")->json_is('/tenant_id', 'acme');
$t->get_ok("$base/api/Tickets")->status_is(401)->content_is('')->header_is('WWW-Authenticate', 'Bearer');
$get->('Tickets', { Authorization => 'Bearer x' })->status_is(401)->json_is('/error', 'invalid_token');
$t->get_ok($simulator->halopsa('globex') . '/api/Tickets' => $auth)->status_is(401, 'another instance, another token');
$t->get_ok($simulator->halopsa('nobody') . '/api/Tickets' => $auth)->status_is(404);
$simulator->post('clock', { offset_seconds => 3601 });
$get->('Tickets')->status_is(401)->json_like('/error_description', qr/expired/);
$simulator->post('clock', { offset_seconds => 0 });
is $simulator->post('expire_tokens', { vendor => 'halopsa', account => 'acme' })->{expired}, 3, 'three tokens end';
$get->('Tickets')->status_is(401);
$auth = $token->();

my $reader = $token->('', scope => 'read:tickets');
$get->('Tickets', $reader)->status_is(200)->json_has('/tickets/0');
$get->('Client', $reader)->status_is(200, 'a missing right shows as an empty list')->json_is('/clients', []);
$t->post_ok("$base/api/Tickets" => $reader => json => [ { id => 1003, summary => 'x' } ])->status_is(403);
$halopsa->(deny => 'forbid');
$get->('Client', $reader)->status_is(403);
$halopsa->(deny => 'hide');
$get->('Tickets', $token->('', client_id => 'limited-acme'))->json_is({ record_count => 0, tickets => [] });

# ------------------------------------------------------------------------ lists

$simulator->post('limits', { vendor => 'halopsa', plan => 'none' });
my $ids = sub { return [ map { $_->{id} } @{ $t->tx->res->json('/tickets') } ] };
$get->('Tickets');
my $shown = $t->tx->res->json;
is scalar @{ $shown->{tickets} }, 50, 'fifty by default';
ok !exists $shown->{page_no}, 'no page was asked for';
is_deeply $ids->(), [ sort { $b <=> $a } @{ $ids->() } ], 'the newest first';
is_deeply [ grep { $_->{status_id} =~ /^[89]\z/ } @{ $shown->{tickets} } ], [], 'without closed ones';
my $open = $shown->{record_count};
$get->('tickets?INCLUDECLOSED=true')->json_is('/record_count', $open, 'what is not known is ignored');
$get->('Tickets?includeclosed=true&count=7')->json_is('/record_count', 240)->json_has('/tickets/6')->json_hasnt('/tickets/7');
$get->('Tickets?closed_only=true')->json_is('/record_count', 240 - $open);
$get->('Tickets?includeclosed=true&open_only=true')->json_is('/record_count', $open);
$get->('Tickets?includeclosed=true&pageinate=true&page_no=2&page_size=500&order=id&orderdesc=false')->json_is('/page_no', 2)->json_is('/page_size', 100, 'at most a hundred')->json_is('/record_count', 240);
my $second = $ids->();
is_deeply $second, [ sort { $a <=> $b } @$second ], 'in order';
$get->('Tickets?includeclosed=true&pageinate=true&page_no=3&page_size=100&order=id');
is scalar @{ $ids->() }, 40, 'the last page';
$get->('Tickets?includeclosed=true&pageinate=true&page_no=9&page_size=100')->json_is('/tickets', []);
$get->('Tickets?paginate=true&page_no=2&page_size=10&includeclosed=true')->json_hasnt('/page_no', 'it is spelt pageinate');
$get->('Tickets?ticketidonly=true&includeclosed=true&count=1000');
is_deeply [ scalar @{ $ids->() }, $t->tx->res->json('/tickets/0') ], [ 240, { id => $ids->()->[0] } ], 'ids alone';
$get->('Opportunities?includeclosed=true')->json_is('/record_count', 60)->json_has('/tickets/0/oppcontactname');
$get->('Tickets?domain=opps&includeclosed=true')->json_is('/record_count', 60);
$get->('Tickets?tickettype_id=21&includeclosed=true');
is_deeply [ grep { $_->{tickettype_id} != 21 } @{ $t->tx->res->json('/tickets') } ], [], 'by ticket type';
$get->('Tickets?order=last_update&orderdesc=true&includeclosed=true&count=240');
my @updates = map { $_->{last_update} } @{ $t->tx->res->json('/tickets') };
my $middle = substr $updates[100], 0, 19;
my $later = grep { $_ ge $middle } @updates;
$get->("Tickets?lastupdatefromdate=$middle&includeclosed=true")->json_is('/record_count', $later, 'changed since a time in UTC');
$get->("Tickets?lastupdatetodate=$middle&includeclosed=true")->json_is('/record_count', 240 - $later);
$get->('Tickets?lastupdatefromdate=yesterday&includeclosed=true')->json_is('/record_count', 240, 'what is no date is ignored');
$halopsa->(lastupdate_filter => 0);
$get->("Tickets?lastupdatefromdate=$middle&includeclosed=true")->json_is('/record_count', 240, 'an instance without that filter');
$halopsa->(lastupdate_filter => 1);
my ($own) = @{ $t->tx->res->json('/tickets') };
$get->("Tickets?search_summary=" . substr($own->{summary}, 0, 5) . "&includeclosed=true")->json_has('/tickets/0');
$get->("Tickets?datesearch=dateoccured&startdate=2100-01-01T00:00:00&includeclosed=true")->json_is('/record_count', 0);

# ----------------------------------------------------------------- what is shown

my ($row) = grep { $_->{user_id} } @{ $simulator->get('state/halopsa/tickets')->{tickets} };
my $id = $row->{id};
$get->("Tickets?ticketids=$id&includeclosed=true");
$row = $t->tx->res->json('/tickets/0');
is_deeply [ grep { exists $row->{$_} } qw(details_html tags is_opportunity priority user) ], [], 'rows are lean';
ok exists $row->{details}, 'but have the text';
like $row->{dateoccurred}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,7}Z$/, 'with seven digits of a second';
is $row->{deadlinedate}, '1900-01-01T00:00:00', 'no date';
is $row->{lastincomingemail}, '0001-01-01T00:00:00', 'nor this one';
ok exists $row->{oppcompanyname}, 'tickets, too, have a company\'s name';
$get->("Tickets/$id");
ok !exists $t->tx->res->json->{details_html}, 'a single one is as lean';
$get->("Tickets/$id?includedetails=true")->json_is('/is_opportunity', false)->json_is('/priority/priorityid', $row->{priority_id})->json_like('/priority/id', qr/^[0-9a-f]{8}-/)
  ->json_is('/tickettype/id', $row->{tickettype_id})->json_has('/details_html')->json_has('/tags')->json_is('/auditdate', '1899-12-30T00:00:00')->json_has('/team_id');
like $t->tx->res->body, qr/"user":\{[^}]*"site_id":\d+\.0,/, 'an id with a fraction';
is_deeply $get->("Opportunities/$id?includedetails=true")->tx->res->json('/id'), $id, 'one store of tickets and opportunities';
$get->('Tickets/999999')->status_is(404)->json_is('/message', 'Ticket not found');
$get->('Tickets/x')->status_is(404);
$halopsa->(missing_as_empty => 1);
$get->('Tickets/999999')->status_is(200)->json_is({});
$halopsa->(missing_as_empty => 0);
$halopsa->(old_build => 1);
$get->("Tickets/$id?includedetails=true")->json_hasnt('/last_update')->json_has('/flastupdate');
$halopsa->(old_build => 0);
$get->('Nothing')->status_is(404);

$get->('Client?count=3')->json_is('/clients/0/name', 'Unknown')->json_hasnt('/clients/3')->json_like('/clients/0/alastupdate', qr/T[\d:.]+$/);
my $clients = $t->tx->res->json('/record_count');
$get->('Client?includeinactive=true')->json_is('/record_count', $clients + 1);
$get->('Client?includeinactive=true&includeactive=false')->json_is('/record_count', 1);
$get->('Client?idonly=true');
is scalar @{ $t->tx->res->json('/clients') }, $clients, 'all ids at once';
is_deeply $t->tx->res->json('/clients/0'), { id => 1 }, 'and nothing else';
$get->('Client?idonly=true&pageinate=true&page_no=1&page_size=2')->json_has('/clients/0/name', 'not with pages')->json_hasnt('/clients/2');
$get->('Client?search=contoso')->json_is('/record_count', 1);
is_deeply [ map { $_->{name} } grep { $_->{domain} eq 'gmail.com' } @{ $simulator->get('state/halopsa/clients')->{clients} } ], [ "B\x{e4}ckerei M\x{fc}ller", 'Smith & Sons' ], 'two clients share a mail provider';
$get->('Site?client_id=2')->json_is('/record_count', 2);
like $t->tx->res->body, qr/"client_id":2\.0/, 'a client\'s id with a fraction';
$get->('Users?client_id=2')->json_has('/users/0/emailaddress');
my $user = $t->tx->res->json('/users/0');
$get->("Users/$user->{id}")->json_is('/site/client/name', 'Northwind Traders');
$get->("Users?search=$user->{emailaddress}")->json_is('/record_count', 1);

# Catalogues are bare lists.
$get->('Status');
my @statuses = map { "$_->{id} $_->{name}" } @{ $t->tx->res->json };
is_deeply [ @statuses[ 0 .. 7 ] ], [ '1 New', '2 In Progress', '3 Pending', '8 Cancelled', '9 Closed', '18 Resolved', '21 With User', '28 On Hold' ], 'statuses';
$get->('Status?type=opportunity')->json_is('/0/name', 'New Lead');
$get->('Priority')->json_is('/0/priorityid', 1)->json_is('/3/name', 'Low')->json_like('/0/id', qr/-/);
$get->('TicketType')->json_is('/0/use', 'tickets')->json_is('/3/use', 'opportunity')->json_hasnt('/0/fields');
$get->('TicketType/3?includedetails=true');
is_deeply [ map { $_->{fieldname} } grep { $_->{technew} == 2 } @{ $t->tx->res->json('/fields') } ], [qw(summary details CFService)], 'mandatory fields of a ticket type';
$get->('Team')->json_is('/3/foropps', true);
$get->('Agent')->json_is('/1/team', '1st Line Support');
is scalar @{ $t->tx->res->json }, 6, 'agents who are not disabled';
$get->('FieldInfo')->json_hasnt('/0/values');
$get->('FieldInfo?includevalues=true')->json_is('/0/values/2/name', 'Single User Affected');
my %types = map { $_->{type} => $_->{lookup} } @{ $t->tx->res->json };
is_deeply [ sort { $a <=> $b } keys %types ], [ 0 .. 6, 10 ], 'custom fields of all types';
$get->('Lookup?lookupid=1206')->json_is('/2', { lookupid => 1206, id => 35, name => 'Export Support Service', value2 => '', inactive => false });

my ($noted) = grep { @{ $_->{actions} } > 1 } @{ $simulator->get('state/halopsa/tickets', actions => 1)->{tickets} };
$get->("Actions?ticket_id=$noted->{id}")->json_is('/record_count', scalar @{ $noted->{actions} })->json_is('/ticket_id', $noted->{id})->json_hasnt('/actions/0/note_html')
  ->json_is('/actions/0/id', scalar @{ $noted->{actions} }, 'the latest first, numbered in the ticket');
$get->("Actions?ticket_id=$noted->{id}&includehtmlnote=true&count=1")->json_has('/actions/0/note_html')->json_hasnt('/actions/1');
$get->("Actions/1?ticket_id=$noted->{id}")->json_is('/note', $noted->{actions}[0]{note});
$get->("Actions/77?ticket_id=$noted->{id}")->status_is(404);

# ----------------------------------------------------------------------- limits

$simulator->post('reset', { halopsa_tickets => 20, halopsa_leads => 5, halopsa_plan => 300 });
$auth = $token->();
$simulator->post('limits', { vendor => 'halopsa', class => 'api', calls => 3 });
$get->('Status')->status_is(200);
$simulator->post('clock', { advance_seconds => 200 });
$get->('Status')->status_is(200) for 1, 2;
$get->('Status')->status_is(429)->content_type_like(qr{text/plain})->content_is('Rate Limit Reached - 3 Requests per rolling 5 minute window')->header_is('Retry-After', undef);
$simulator->post('clock', { advance_seconds => 101 });
$get->('Status')->status_is(200, 'the first has left the window');
$get->('Status')->status_is(429, 'the others have not');
$simulator->post('settings', { vendor => 'halopsa', retry_after => 1 });
$get->('Status')->status_is(429)->header_like('Retry-After', qr/^(?:19\d|200)$/);
$t->post_ok("$base/auth/token", form => \%client)->status_is(200, 'tokens are not among these calls');
$t->get_ok($simulator->halopsa('globex') . '/api/authinfo')->status_is(200);
my $stats = $simulator->get('stats');
is $stats->{endpoints}{halopsa}{acme}{'POST auth/token'}{calls}, 2, 'but are counted';
is $stats->{max_calls_per_5_minutes}{halopsa}{acme}{api}, 7, 'the busiest five minutes, refusals too';
is $simulator->get('requests', path => 'token')->{requests}[0]{body} =~ /secret-acme/, '', 'the log holds no secret';

done_testing;
