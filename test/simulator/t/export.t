# The incremental export and the other ways to page through Zendesk.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Mojo::JSON qw(decode_json);
use Mojo::Util qw(b64_encode);
use Simulator::Process;
use Test::Mojo;
use Test::More;

my $simulator = Simulator::Process->start('--tickets', 500, '--zendesk-plan', 'none');
my $t = Test::Mojo->new;
my $base = $simulator->zendesk . '/api/v2';
my $auth = { Authorization => 'Basic ' . b64_encode('admin@acme.example/token:token-acme', '') };

sub page ($path, %query)
{
	my $url = Mojo::URL->new("$base/$path");
	$url->query([%query]);
	$t->get_ok($url => $auth)->status_is(200);
	return $t->tx->res->json;
}

# All pages from a start; returns the tickets and the last cursor.
sub all_from ($start, %more)
{
	my (@tickets, $cursor);
	my %query = (start_time => $start, per_page => 100, %more);

	while (1)
	{
		my $page = page('incremental/tickets/cursor', %query);
		push @tickets, @{ $page->{tickets} };
		$cursor = $page->{after_cursor};
		last if $page->{end_of_stream};
		%query = (cursor => $cursor, per_page => 100, %more);
	}
	return (\@tickets, $cursor);
}

my ($tickets, $cursor) = all_from(0);
is @$tickets, 500, 'all tickets came';
my @keys = map { sprintf '%015d%015d', $_->{generated_timestamp}, $_->{id} } @$tickets;
is_deeply \@keys, [ sort @keys ], 'in the order of (generated_timestamp, id)';
ok scalar(grep { $_->{status} eq 'deleted' } @$tickets), 'deleted ones are among them';
is scalar(grep { grep { $_ eq 'bug' } @{ $_->{tags} } } @$tickets), 200, 'two in five carry the tag bug';
my ($live) = all_from(0, exclude_deleted => 'true');
is scalar(grep { $_->{status} eq 'deleted' } @$live), 0, 'exclude_deleted';
my $page = page('incremental/tickets/cursor', start_time => 0, include => 'users', per_page => 10);
my %users = map { $_->{id} => 1 } @{ $page->{users} };
ok !(grep { !$users{ $_->{requester_id} } } @{ $page->{tickets} }), 'the requesters are side-loaded';

# hold-back, resurfacing, deletion, late ones
my $again = sub { my $page = page('incremental/tickets/cursor', cursor => $cursor); $cursor = $page->{after_cursor}; return $page };
is_deeply $again->()->{tickets}, [], 'nothing new';
$simulator->post('edit', { account => 'acme', id => 7, fields => { subject => 'Changed by an agent' } });
is_deeply $again->()->{tickets}, [], 'a fresh change is held back';
$simulator->post('clock', { advance_seconds => 62 });
is $again->()->{tickets}[0]{subject}, 'Changed by an agent', 'and comes after a minute';
$simulator->post('holdback', { seconds => 0 });
$simulator->post('resurface', { account => 'acme', ids => [ 5, 3 ] });
$simulator->post('clock', { advance_seconds => 1.1 });
my $back = $again->()->{tickets};
is_deeply [ map { $_->{id} } @$back ], [ 3, 5 ], 'resurfaced tickets come in order';
my ($old) = grep { $_->{id} == 3 } @$tickets;
is $back->[0]{updated_at}, $old->{updated_at}, 'with their old updated_at';
$simulator->post('edit', { account => 'acme', id => 8, fields => { subject => 'Late' }, late_seconds => 30 });
$simulator->post('delete', { account => 'acme', id => 9 });
$simulator->post('clock', { advance_seconds => 2 });
$back = $again->()->{tickets};
is_deeply [ map { "$_->{id} $_->{status}" } @$back ], ['9 deleted'], 'a deletion arrives as a status, the late change does not';
$simulator->post('clock', { advance_seconds => 30 });
is_deeply $again->()->{tickets}, [], 'a late one lies behind the cursor';
my ($seen) = all_from(time - 300);
ok scalar(grep { $_->{id} == 8 && $_->{subject} eq 'Late' } @$seen), 'but is found from an earlier time';
$simulator->post('clock', { offset_seconds => 0 });
$simulator->post('holdback', { seconds => 60 });

# odd beginnings
my $now = time;
$t->get_ok("$base/incremental/tickets/cursor?start_time=" . ($now - 10) => $auth)->status_is(422)->json_is('/error', 'InvalidValue')->json_like('/description', qr/Too recent/);
$page = page('incremental/tickets/cursor', start_time => $now - 61);
is $page->{after_cursor}, undef, 'a start that matches nothing has no cursor';
is $page->{end_of_stream}, Mojo::JSON->true, 'and is the end';
$t->get_ok("$base/incremental/tickets/cursor?cursor=nonsense" => $auth)->status_is(400);
$t->get_ok("$base/incremental/tickets/cursor" => $auth)->status_is(400)->json_is('/error/title', 'Invalid attribute');
$simulator->post('holdback', { seconds => -3600 });
$simulator->post('faults', { fault => 'empty_page', path => 'incremental/tickets/cursor' });
$page = page('incremental/tickets/cursor', start_time => 0);
is_deeply [ scalar @{ $page->{tickets} }, $page->{end_of_stream} ], [ 0, Mojo::JSON->false ], 'an empty page with more to come';
$page = page('incremental/tickets/cursor', cursor => $page->{after_cursor}, per_page => 1000);
is scalar @{ $page->{tickets} }, 500, 'and nothing lost behind it';

# users, organizations, lists
$page = page('incremental/users/cursor', start_time => 0);
is scalar @{ $page->{users} }, $simulator->get('info')->{zendesk}{acme}{users}, 'all users';
$page = page('incremental/organizations', start_time => 0);
ok $page->{end_of_stream} && @{ $page->{organizations} } == $page->{count}, 'organizations';
$page = page('tickets', per_page => 50, page => 2);
is_deeply [ scalar @{ $page->{tickets} }, $page->{next_page} =~ /page=3/ ], [ 50, 1 ], 'offset paging';
$t->get_ok("$base/tickets?page=101&per_page=100" => $auth)->status_is(400)->json_is('/errors/0/code', 'InvalidPaginationDepth');
my ($count, %query) = (0, 'page[size]' => 90);
while (1)
{
	$page = page('tickets', %query);
	$count += @{ $page->{tickets} };
	last if !$page->{meta}{has_more};
	$query{'page[after]'} = $page->{meta}{after_cursor};
}
is $count, page('tickets/count')->{count}{value}, 'cursor paging reaches all';
$page = page('tickets/show_many', ids => '1,2,99999');
cmp_ok scalar @{ $page->{tickets} }, '<=', 2, 'missing ids are absent';
is scalar @{ page('ticket_fields')->{ticket_fields} }, 17, 'ticket fields';
is scalar @{ page('custom_statuses')->{custom_statuses} }, 8, 'custom statuses';

# compression
$t->ua->transactor->compressed(0);
$t->get_ok("$base/tickets" => { %$auth, 'Accept-Encoding' => 'identity' })->status_is(200)->header_is('Content-Encoding', undef);
$t->ua->transactor->compressed(1);
$t->get_ok("$base/tickets" => $auth)->status_is(200)->header_is('Vary', 'Accept-Encoding');

# Texts of all kinds survive, nasty ones too.
$simulator->post('reset', { tickets => 50, nasty => 1 });
$t->get_ok("$base/incremental/tickets/cursor?start_time=0" => $auth)->status_is(200);
my $raw = $t->tx->res->body;
like $raw, qr/NUL \\u0000 inside/, 'an escaped NUL';
like $raw, qr/surrogate \\ud83d in/, 'a lone surrogate';
cmp_ok length $raw, '>', 1_000_000, 'a megabyte of text';

done_testing;
