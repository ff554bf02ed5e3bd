# HaloPSA: what POST and DELETE do, faults amid arrays, and what is remembered.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Mojo::JSON qw(decode_json false true);
use Simulator::Process;
use Test::Mojo;
use Test::More;

my $simulator = Simulator::Process->start('--halopsa-tickets', 40, '--halopsa-leads', 10, '--halopsa-plan', 'none');
my $t = Test::Mojo->new;
my $base = $simulator->halopsa;
my $halopsa = sub (%body) { return $simulator->post('settings', { vendor => 'halopsa', %body }) };
my $new_token = sub { return { Authorization => 'Bearer ' . $t->ua->post("$base/auth/token?tenant=acme", form => { grant_type => 'client_credentials', client_id => 'client-acme', client_secret => 'secret-acme' })->res->json->{access_token} } };
my $auth = $new_token->();
my $post = sub ($path, $body) { return $t->post_ok("$base/api/$path" => $auth => json => $body) };
my $text = sub { my $json = eval { $t->tx->res->json }; return ref $json eq 'HASH' ? $json->{Message} // $json->{message} // $json->{errorMessage} // '' : $t->tx->res->text };
my $count = sub ($what = 'tickets') { return $simulator->get('info')->{halopsa}{acme}{$what} };
my $state = sub ($id, $what = 'tickets') { return (grep { $_->{id} == $id } @{ $simulator->get("state/halopsa/$what", actions => 1, deleted => 1)->{$what} })[0] };
my %ticket = (summary => 'S', details => 'text', tickettype_id => 1);

# ------------------------------------------------------------------- what is sent

$post->(Tickets => [ \%ticket ])->status_is(201)->json_is('/summary', 'S')->json_is('/status_id', 1)->json_is('/is_opportunity', false)->json_is('/details_html', '<p>text</p>');
my $id = $t->tx->res->json('/id');
$post->(Tickets => \%ticket)->status_is(400, 'a bare object')->content_like(qr/requires a JSON array/);
$post->(Tickets => [])->status_is(400);
$post->(Tickets => ['x'])->status_is(400);
$t->post_ok("$base/api/Tickets" => $auth => '[{')->status_is(400);
$t->put_ok("$base/api/Tickets" => $auth => json => [ { id => $id, summary => 'x' } ])->status_is(404, 'there is no PUT');
$post->(Tickets => [ { %ticket, summary => 'One' }, { %ticket, summary => 'Two' } ])->status_is(201)->json_is('/summary', 'Two', 'the last comes back');
$post->('Tickets?returnall=true', [ { %ticket, summary => 'One' }, { %ticket, summary => 'Two' } ])->status_is(201)->json_is('/0/summary', 'One')->json_is('/1/summary', 'Two')->json_hasnt('/2');
my ($one, $two) = map { $_->{id} } @{ $t->tx->res->json };

# An update is a POST with an id, and partial.
$post->(Tickets => [ { id => $id, status_id => 9, tags => [ { text => 'a' }, { text => 'a' } ] } ])->status_is(201)->json_is('/summary', 'S')->json_is('/hasbeenclosed', true)->json_has('/dateclosed')->json_is('/tags', [ { id => 0, text => 'a' } ]);
my $updated = $t->tx->res->json('/last_update');
$post->(Tickets => [ { id => $id, summary => 'S' } ])->status_is(201)->json_is('/last_update', $updated, 'what changes nothing is no change');
$post->(Tickets => [ { id => "$id", add_tags => [ { text => 'b' } ] } ])->json_is('/ticket_tags', 'a,b', 'digits will do');
is $state->($id)->{actions}[0]{outcome}, 'Change Status', 'a change of status leaves an action';
$post->(Tickets => [ { id => $id, details_html => '<p>one &amp; two</p>' } ])->json_is('/details', 'one & two');
$post->(Tickets => [ { id => $id, unknown_key => 1, _novalidate => true } ])->status_is(201, 'what is not known is ignored');
is_deeply $simulator->get('ledger')->{writes}[-1]{ignored}, ['unknown_key'], 'but noted';

# What is refused, and in which words.
for my $bad (
	[ 400, qr/string to integer: 95\.0/, { id => '95.0' } ], [ 400, qr/string to integer: x/, { %ticket, client_id => 'x' } ], [ 500, qr/Unable to cast/, { %ticket, client_id => {} } ],
	[ 404, qr/Ticket not found/, { id => 999999, summary => 'x' } ], [ 400, qr/mandatory field Details/, { summary => 'x', tickettype_id => 1 } ],
	[ 400, qr/mandatory field Summary/, { id => $one, summary => '' } ], [ 400, qr/mandatory field Service/, { %ticket, tickettype_id => 3 } ],
	[ 400, qr/Invalid Status/, { id => $one, status_id => 77 } ], [ 400, qr/Invalid Ticket Type/, { %ticket, tickettype_id => 77 } ], [ 400, qr/Invalid Priority/, { %ticket, priority_id => 9 } ],
	[ 400, qr/Invalid Agent/, { %ticket, agent_id => 99 } ], [ 400, qr/Invalid Team "Nobody"/, { %ticket, team => 'Nobody' } ], [ 400, qr/Invalid Client/, { %ticket, client_id => 999 } ],
	[ 400, qr/Site does not belong/, { %ticket, client_id => 2, site_id => 21 } ], [ 400, qr/to DateTime: soon/, { %ticket, targetdate => 'soon' } ], [ 400, qr/type 'Tag'/, { %ticket, tags => ['a'] } ],
	[ 400, qr/"99" is not a valid value for Service/, { %ticket, customfields => [ { id => 206, value => 99 } ] } ], [ 400, qr/for Effort/, { %ticket, customfields => [ { id => 216, value => 'much' } ] } ],
	[ 400, qr/longer than 20/, { %ticket, customfields => [ { id => 211, value => 'x' x 21 } ] } ])
{
	my ($status, $words, $element) = @$bad;
	my $before = $count->();
	$post->(Tickets => [$element])->status_is($status);
	like $text->(), $words, "$words";
	is $count->(), $before, 'nothing was made';
}
$halopsa->(error_format => 'html');
$post->(Tickets => [ { summary => 'x' } ])->status_is(400)->content_type_like(qr/html/)->content_like(qr/mandatory field/);
$halopsa->(error_format => 'result_code');
$post->(Tickets => [ { summary => 'x' } ])->json_is('/resultCode', 400)->json_like('/errorMessage', qr/mandatory/);
$halopsa->(error_format => 'mixed');

# Client, site and user.
my ($user) = grep { $_->{client_id} == 2 } @{ $simulator->get('state/halopsa/users')->{users} };
$post->(Tickets => [ { %ticket, user_id => $user->{id} } ])->json_is('/client_id', 2)->json_is('/site_id', $user->{site_id_int})->json_is('/user/emailaddress', $user->{emailaddress});
$post->(Tickets => [ { %ticket, client_id => 3 } ])->json_is('/client_id', 3)->json_is('/site_name', 'Main');
$post->(Tickets => [ { %ticket } ])->json_is('/client_name', 'Unknown', 'a ticket of nobody');

# Custom fields, by id and by name.
$post->(Tickets => [ { %ticket, tickettype_id => 3, customfields => [
	{ name => 'CFService', value => 34 }, { id => 210, value => [ { id => 1 }, { id => 3 } ] }, { id => 211, value => 'ORD' }, { id => 212, value => "a\nb" }, { id => 213, value => '14:30' },
	{ id => 214, value => true }, { id => 215, value => '<b>x</b>' }, { id => 216, value => 7.5 }, { id => 175, value => '2026-03-01' }, { id => 165, value => 1 }, { id => 9999, value => 1 } ] } ])->status_is(201);
my %custom = map { $_->{name} => $_ } @{ $t->tx->res->json('/customfields') };
is_deeply [ map { $_->{value} } @custom{qw(CFService CFOrderNumber CFBackground CFCallAt CFReport CFEffort CFPromisedBy)} ], [ 34, 'ORD', "a\nb", '1901-01-01T14:30:00', '<b>x</b>', '7.5', '2026-03-01T00:00:00' ], 'values';
is_deeply $custom{CFEnvironments}{value}, [ { id => 1, name => 'Production' }, { id => 3, name => 'Test' } ], 'several options';
is_deeply [ map { $_->{display} } @custom{qw(CFService CFEnvironments CFChargeable CFPromisedBy)} ], [ 'Laptop & Desktop', 'Production, Test', 'Yes', '01/03/2026' ], 'as people read them';
ok !$custom{CFimpact}, 'a field that the type lacks is ignored';
my $custom = $t->tx->res->json('/id');
$post->(Tickets => [ { id => $custom, customfields => [ { id => 211, value => '' } ] } ])->status_is(201);
%custom = map { $_->{name} => $_ } @{ $t->tx->res->json('/customfields') };
is_deeply [ map { $custom{$_}{value} } qw(CFOrderNumber CFService) ], [ '', 34 ], 'one is cleared, the others stay';

# Opportunities, actions, clients, users.
$post->(Opportunities => [ { summary => 'Lead', oppcontactname => 'A B', oppcompanyname => 'C', oppvalue => 12.5, oppjobtitle => 'CTO', third_party_id_string => 'zcsync-0b8c6c1a-9c7c-4a55-8c4e-1f0a54f3a0aa' } ])
  ->status_is(201)->json_is('/is_opportunity', true)->json_is('/tickettype/name', 'Lead')->json_is('/status_id', 40)->json_is('/oppvalue', 12.5)->json_is('/oppcontactname', 'A B');
my $lead = $t->tx->res->json('/id');
is $count->('opportunities'), 11, 'an opportunity more';
$post->(Opportunities => [ { summary => 'Lead' } ])->status_is(400)->json_like('/Message', qr/Contact Name/);
$post->(Tickets => [ { id => $lead, status_id => 44 } ])->status_is(201)->json_is('/hasbeenclosed', true, 'one store');
$post->(Actions => [ { ticket_id => $one, note => 'x' } ])->status_is(400)->json_like('/Message', qr/Outcome/);
$post->(Actions => [ { ticket_id => 999999, outcome_id => 7, note => 'x' } ])->status_is(404);
$post->(Actions => [ { ticket_id => $one, outcome_id => 7, note_html => '<p>hi</p>', new_status => 2 } ])->status_is(201)->json_is('/id', 1)->json_is('/note', 'hi')->json_is('/hiddenfromuser', true)->json_is('/who', 'API');
is $state->($one)->{status_id}, 2, 'an action moves the status';
$post->(Actions => [ { ticket_id => $one, id => 1, note => 'ho' } ])->json_is('/note', 'ho');
$t->delete_ok("$base/api/Actions/1?ticket_id=$one" => $auth)->status_is(200);
$t->get_ok("$base/api/Actions?ticket_id=$one&excludesys=true" => $auth)->json_is('/record_count', 0);
$post->(Client => [ { name => 'New & Co', domain => 'new.example' } ])->status_is(201)->json_is('/main_site_name', 'Main');
my $client = $t->tx->res->json;
$post->(Client => [ { name => 'new & co' } ])->status_is(400);
$post->(Client => [ { domain => 'x' } ])->status_is(400);
$post->(Users => [ { firstname => 'A', surname => 'B', emailaddress => 'a@new.example', site_id => $client->{main_site_id} } ])->status_is(201)->json_is('/name', 'A B')->json_is('/client_id', $client->{id});
$post->(Users => [ { name => 'X', site_id => 999 } ])->status_is(400);
$post->(Client => [ { id => $client->{id}, inactive => true } ])->status_is(201)->json_is('/inactive', true)->json_is('/name', 'New & Co');

$t->delete_ok("$base/api/Tickets/$two?reason=double" => $auth)->status_is(200);
$t->get_ok("$base/api/Tickets/$two" => $auth)->status_is(404);
$t->get_ok("$base/api/Tickets?deleted=true&includeclosed=true" => $auth)->json_is('/tickets/0/id', $two)->json_is('/record_count', 1);
$post->(Tickets => [ { id => $two, summary => 'x' } ])->status_is(404);

# ------------------------------------------------- arrays of which one is bad

my @three = ({ %ticket, summary => 'first' }, { summary => 'bad' }, { %ticket, summary => 'third' });
my $before = $count->();
$post->('Tickets?returnall=true', \@three)->status_is(400);
is $count->(), $before + 1, 'those before the bad one were applied';
$halopsa->(batch => 'atomic');
$post->('Tickets?returnall=true', \@three)->status_is(400);
is $count->(), $before + 1, 'none was applied';
$post->(Tickets => [ @three[ 0, 2 ] ])->status_is(201);
is $count->(), $before + 3, 'good ones are';
$halopsa->(batch => 'partial');

# ------------------------------------------------------------------------ faults

my @many = map { { %ticket, summary => "N $_", third_party_id_string => "lost $_" } } 1 .. 5;
my $fault = sub ($name, %more) { $simulator->no_faults; $simulator->post('faults', { vendor => 'halopsa', fault => $name, method => 'POST', path => '/Tickets', %more }) };
my %applied = (reset_before => 0, reset_after => 5, html_502 => 0, truncated_json => 5, stop_at => 3);
for my $name (sort keys %applied)
{
	$before = $count->();
	$fault->($name, $name eq 'stop_at' ? (element => 3) : ());
	my $tx = $t->ua->post("$base/api/Tickets?returnall=true" => $auth => json => \@many);
	is $count->() - $before, $applied{$name}, "$name: what was applied";
	if ($name eq 'truncated_json') { is $tx->res->code, 201; ok !eval { decode_json($tx->res->body) }, 'half a reply' }
	elsif ($name =~ /reset/) { ok $tx->error && !$tx->error->{code}, 'no reply' }
	else { like $tx->res->code . $tx->res->headers->content_type, qr{^50[02]text/html}, 'an HTML page' }
}
$fault->('html_502', after => 1);
$before = $count->();
$post->(Tickets => \@many)->status_is(502);
is $count->() - $before, 5, 'a 502 in spite of which all was applied';
$fault->('rate_limit');
$post->(Tickets => \@many)->status_is(429)->header_is('Retry-After', 2)->content_is('Rate Limit Reached - 300 Requests per rolling 5 minute window');
$fault->('rate_limit', retry_after => undef);
$post->(Tickets => \@many)->status_is(429)->header_is('Retry-After', undef);
$fault->('expire_tokens', skip => 1);
$post->(Tickets => [ $many[0] ])->status_is(201);
$post->(Tickets => [ $many[0] ])->status_is(401, 'tokens ended before this call');
$post->(Tickets => [ $many[0] ])->status_is(401, 'for good');
$auth = $new_token->();
$post->(Tickets => [ $many[0] ])->status_is(201);
$fault->('empty_page', method => 'GET');
$t->get_ok("$base/api/Tickets" => $auth)->json_is('/tickets', [])->json_like('/record_count', qr/^[1-9]/);
$simulator->no_faults;

# ------------------------------------------------------- ledger, agents' changes

my $stats = $simulator->get('stats');
is_deeply $stats->{write_calls}{halopsa}{acme}{Opportunities}, { calls => 2, elements => 2 }, 'calls and elements of opportunities';
my $writes = $simulator->get('ledger', vendor => 'halopsa', entity => 'Opportunities')->{writes};
is_deeply [ @{ $writes->[0] }{qw(operation object external_id marker status elements)} ], [ 'create', $lead, 'zcsync-0b8c6c1a-9c7c-4a55-8c4e-1f0a54f3a0aa', '0b8c6c1a-9c7c-4a55-8c4e-1f0a54f3a0aa', 201, 1 ], 'the entry of a create';
# three times five, three, and two, of five different ones
is $stats->{duplicates}{halopsa}{external_id}{duplicates}, 15, 'what was made more than once';
$simulator->post('reset', { halopsa_tickets => 10, halopsa_leads => 2, halopsa_plan => 'none' });
$auth = $new_token->();
$post->('Tickets?returnall=true', \@many)->status_is(201);
is_deeply $simulator->get('stats')->{write_calls}{halopsa}{acme}, { Tickets => { calls => 1, elements => 5 } }, 'one call of five elements';
is_deeply [ map { "$_->{element}/$_->{elements} $_->{request}" } @{ $simulator->get('ledger')->{writes} } ], [ map { "$_/5 2" } 0 .. 4 ], 'each in the ledger';

$id = $simulator->get('ledger')->{writes}[0]{object};
is $simulator->post('edit', { vendor => 'halopsa', id => $id, fields => { summary => 'Agent', status_id => 2, customfields => { CFEffort => '3' }, comment => 'seen' } })->{changed}, 3, 'an agent changes three things';
$t->get_ok("$base/api/Tickets/$id?includedetails=true" => $auth)->json_is('/summary', 'Agent')->json_is('/status_id', 2);
is $state->($id)->{actions}[-1]{note}, 'seen', 'and leaves a note';
is scalar @{ $simulator->get('ledger')->{writes} }, 5, 'which is not in the ledger';
$simulator->post('edits', [ { vendor => 'halopsa', id => $id, fields => { tags => ['x'] } }, { vendor => 'halopsa', kind => 'client', id => 2, fields => { name => 'Renamed' } } ]);
is $state->(2, 'clients')->{name}, 'Renamed', 'a client\'s name';
my $touched = $simulator->post('touch', { vendor => 'halopsa', id => $id })->{last_update};
$t->get_ok("$base/api/Tickets/$id" => $auth)->json_is('/last_update', $touched, 'touched, not changed');
$simulator->post('delete', { vendor => 'halopsa', id => $id });
$t->get_ok("$base/api/Tickets/$id" => $auth)->status_is(404);
my $made = $simulator->post('create', { vendor => 'halopsa', fields => { tickettype_id => 41, summary => 'By an agent', customfields => { 220 => 2 } } })->{id};
$t->get_ok("$base/api/Opportunities/$made?includedetails=true" => $auth)->json_is('/customfields/0/display', 'ZoomInfo');
$simulator->post('catalogue', { catalogue => 'statuses', id => 50, fields => { name => 'Waiting for Parts' } });
$simulator->post('catalogue', { catalogue => 'statuses', id => 21, remove => 1 });
$t->get_ok("$base/api/Status" => $auth);
is_deeply [ map { $_->{name} } grep { $_->{id} =~ /^(?:21|50)\z/ } @{ $t->tx->res->json } ], ['Waiting for Parts'], 'an administrator changes the statuses';
ok !eval { $simulator->post('edit', { vendor => 'halopsa', id => 4711, fields => {} }); 1 }, 'no such ticket';
ok !eval { $halopsa->(nonsense => 1); 1 }, 'no such setting';

my $texts = sub { return [ map { "$_->{summary}|$_->{status_id}|$_->{user_id}" } @{ $simulator->get('state/halopsa/tickets')->{tickets} } ] };
$simulator->post('seed', { vendor => 'halopsa', account => 'acme', tickets => 30, leads => 3, seed => 9 });
my $first = $texts->();
$simulator->post('seed', { vendor => 'halopsa', account => 'acme', tickets => 30, leads => 3, seed => 9 });
is_deeply $texts->(), $first, 'the same seed, the same tickets';
my $page = $simulator->get('state/halopsa/tickets', limit => 20);
is_deeply [ scalar @{ $page->{tickets} }, scalar @{ $simulator->get('state/halopsa/tickets', after => $page->{next})->{tickets} } ], [ 20, 10 ], 'a dump in pages';

done_testing;
