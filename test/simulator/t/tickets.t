# Writing to Zendesk: idempotency, locks, checks, jobs.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Compress::Gzip qw(gzip);
use Mojo::JSON qw(encode_json false true);
use Mojo::Util qw(b64_encode);
use Simulator::Process;
use Test::Mojo;
use Test::More;
use Time::HiRes qw(sleep);

my $simulator = Simulator::Process->start('--tickets', 100, '--zendesk-plan', 'none');
my $t = Test::Mojo->new;
my $base = $simulator->zendesk . '/api/v2';
my $auth = { Authorization => 'Basic ' . b64_encode('admin@acme.example/token:token-acme', '') };
my $fields = $simulator->get('info')->{zendesk}{acme}{custom_fields};
my $by_status = sub ($status) { (grep { $_->{status} eq $status } @{ $simulator->get('state/tickets')->{tickets} })[0] };
my $post = sub ($ticket, %headers) { $t->post_ok("$base/tickets" => { %$auth, %headers } => json => { ticket => $ticket }) };
my $put = sub ($id, $ticket) { $t->put_ok("$base/tickets/$id" => $auth => json => { ticket => $ticket }) };

# create
my %new = (
	subject => 'Printer', comment => { body => 'It burns', public => true }, priority => 'normal', status => 'open',
	requester => { name => 'A', email => 'a@example.com' }, tags => [ 'Zed', 'alpha' ], external_id => 'pg:42',
	custom_fields => [ { id => $fields->{'Product area'}, value => 'product_api' }, { id => $fields->{'Affected seats'}, value => 7 } ]);
$post->(\%new, 'Idempotency-Key' => 'key-1')->status_is(201)->header_is('x-idempotency-lookup', 'miss')->header_like(Location => qr{/tickets/101\.json$})
  ->json_is('/ticket/id', 101)->json_is('/ticket/tags', [ 'alpha', 'zed' ])->json_is('/ticket/description', 'It burns')->json_has('/audit/events/0')
  ->json_is('/ticket/custom_fields/0/value', 'product_api');
$post->(\%new, 'Idempotency-Key' => 'key-1')->status_is(201)->header_is('x-idempotency-lookup', 'hit')->json_is('/ticket/id', 101);
$post->({ %new, subject => 'Other' }, 'Idempotency-Key' => 'key-1')->status_is(400)->json_is('/error', 'IdempotentRequestError');
$simulator->post('clock', { offset_seconds => 7300 });
$post->(\%new, 'Idempotency-Key' => 'key-1')->status_is(201)->json_is('/ticket/id', 102, 'after two hours a key is forgotten');
$simulator->post('clock', { offset_seconds => 0 });
$t->get_ok("$base/tickets?external_id=pg:42" => $auth)->status_is(200)->json_is('/count', 2);
is $simulator->get('stats')->{duplicates}{zendesk}{external_id}{duplicates}, 1, 'the ledger counts it twice';
$post->({ subject => 'Nothing said' })->status_is(422)->json_is('/error', 'RecordInvalid')->json_like('/details/base/0/description', qr/cannot be blank/);
$post->({ comment => { body => 'x' }, priority => 'huge' })->status_is(422);
$post->({ comment => { body => 'x' }, subject => 5 })->status_is(400)->json_is('/error/title', 'Invalid attribute');
$post->({ comment => { body => 'x' }, custom_fields => [ { id => $fields->{'Product area'}, value => 'none such' } ] })->status_is(422);
$t->post_ok("$base/tickets" => $auth => '{"ticket":')->status_is(422);
$t->post_ok("$base/tickets" => $auth => json => { subject => 'no wrapper' })->status_is(400);
gzip(\encode_json({ ticket => { comment => { body => 'packed' } } }) => \my $packed);
$t->post_ok("$base/tickets" => { %$auth, 'Content-Encoding' => 'gzip', 'Content-Type' => 'application/json' } => $packed)->status_is(422, 'no gzip');
$t->post_ok("$base/tickets" => $auth => json => { ticket => { comment => { body => 'packed' } } })->status_is(201)->json_is('/ticket/description', 'packed')->json_is('/ticket/status', 'new');
my $new_id = $t->tx->res->json('/ticket/id');

# update
my $agent = $t->get_ok("$base/users/me" => $auth)->tx->res->json('/user/id');
$put->($new_id, { assignee_id => $agent })->status_is(200)->json_is('/ticket/status', 'open', 'an assigned ticket is not new')->json_is('/ticket/assignee_id', $agent);
my $stamp = $t->tx->res->json('/ticket/updated_at');
$simulator->post('clock', { offset_seconds => 5 });
$put->($new_id, { status => 'pending', updated_stamp => $stamp, safe_update => true })->status_is(200);
$put->($new_id, { status => 'open', updated_stamp => $stamp, safe_update => true })->status_is(409)->json_is('/error', 'DatabaseConflict');
my $before = $simulator->get('state/tickets', after => $new_id - 1)->{tickets}[0]{updated_at};
$simulator->post('clock', { offset_seconds => 9 });
$put->($new_id, { status => 'pending' })->status_is(200)->json_is('/ticket/updated_at', $before, 'no change, no new time')->json_is('/audit/events', []);
$put->($new_id, { comment => { body => 'Looking at it', public => false } })->status_is(200);
$t->get_ok("$base/tickets/$new_id/comments" => $auth)->status_is(200)->json_is('/comments/0/body', 'packed')->json_is('/comments/1/public', false);
$t->get_ok("$base/tickets/$new_id/comments?page[size]=1&sort=-created_at" => $auth)->json_is('/comments/0/body', 'Looking at it')->json_is('/meta/has_more', true);
my $statuses = $t->get_ok("$base/custom_statuses" => $auth)->tx->res->json('/custom_statuses');
my ($vendor) = grep { $_->{agent_label} eq 'In development' } @$statuses;
$put->($new_id, { custom_status_id => $vendor->{id} })->status_is(200)->json_is('/ticket/status', 'hold');
$put->($by_status->('closed')->{id}, { subject => 'x' })->status_is(422)->json_like('/details/status/0/description', qr/closed prevents/);

# tags, users
$t->post_ok("$base/tickets/$new_id/tags" => $auth => json => { tags => ['one'] })->status_is(201)->json_is('/tags', ['one']);
$t->put_ok("$base/tickets/$new_id/tags" => $auth => json => { tags => ['two'] })->status_is(200)->json_is('/tags', [ 'one', 'two' ]);
$t->delete_ok("$base/tickets/$new_id/tags" => $auth => json => { tags => ['one'] })->status_is(200)->json_is('/tags', ['two']);
$t->post_ok("$base/users/create_or_update" => $auth => json => { user => { name => 'B', email => 'b@example.com' } })->status_is(201);
$t->post_ok("$base/users/create_or_update" => $auth => json => { user => { name => 'Bee', email => 'B@example.com' } })->status_is(200)->json_is('/user/name', 'Bee');

# delete, restore
$t->delete_ok("$base/tickets/$new_id" => $auth)->status_is(204)->content_is('');
$t->get_ok("$base/tickets/$new_id" => $auth)->status_is(404);
$t->put_ok("$base/deleted_tickets/$new_id/restore" => $auth)->status_is(200);
$t->get_ok("$base/tickets/$new_id" => $auth)->status_is(200)->json_is('/ticket/status', 'hold');

# jobs
my $job = sub {
	my $id = $t->status_is(200)->json_is('/job_status/status', 'queued')->tx->res->json('/job_status/id');
	for (1 .. 50)
	{
		sleep 0.05;
		my $status = $t->ua->get("$base/job_statuses/$id" => $auth)->res->json('/job_status');
		return $status if $status->{status} eq 'completed';
	}
	return;
};
my $closed = $by_status->('closed')->{id};
$t->put_ok("$base/tickets/update_many" => $auth => json => { tickets => [ { id => $new_id, priority => 'low' }, { id => $closed, priority => 'low' }, { id => 99999, priority => 'low' } ] });
my $done = $job->();
is_deeply [ map { [ $_->{id}, $_->{success} ? 1 : 0 ] } @{ $done->{results} } ], [ [ $new_id, 1 ], [ $closed, 0 ], [ 99999, 0 ] ], 'a job with partial failures';
$t->put_ok("$base/tickets/update_many?ids=$new_id" => $auth => json => { ticket => { additional_tags => ['three'], remove_tags => ['two'] } });
$job->();
$t->get_ok("$base/tickets/$new_id/tags" => $auth)->json_is('/tags', ['three']);
$t->post_ok("$base/tickets/create_many" => $auth => json => { tickets => [ { comment => { body => 'a' } }, { subject => 'bad' } ] });
$done = $job->();
ok $done->{results}[0]{id} && $done->{results}[1]{error} eq 'TicketCreateError', 'created and refused';

# merges and follow-ups
my ($loser, $winner) = map { $post->({ subject => $_, comment => { body => $_ }, tags => ['kept'] })->status_is(201)->tx->res->json('/ticket/id') } qw(loser winner);
$t->post_ok("$base/tickets/$winner/merge" => $auth => json => { ids => [ $loser, $closed ], source_comment => 'Closing in favour of the other', source_comment_is_public => true });
$done = $job->();
is_deeply [ map { [ $_->{id}, $_->{success} ? 1 : 0 ] } @{ $done->{results} } ], [ [ $loser, 1 ], [ $closed, 0 ] ], 'a closed ticket cannot be merged';
$t->get_ok("$base/tickets/$loser" => $auth)->json_is('/ticket/status', 'closed')->json_is('/ticket/tags', [qw(closed_by_merge kept)]);
$t->get_ok("$base/tickets/$loser/comments" => $auth)->json_is('/comments/1/body', 'Closing in favour of the other')->json_is('/comments/1/public', true)
  ->json_is('/comments/1/via/source/rel', 'merge')->json_is('/comments/1/via/source/from/ticket_id', $winner);
$t->get_ok("$base/tickets/$winner/comments" => $auth)->json_is('/comments/1/public', false)->json_is('/comments/1/via/source/from/ticket_id', $loser);
$t->get_ok("$base/tickets/$winner" => $auth)->json_is('/ticket/status', 'new')->json_is('/ticket/tags', ['kept']);
$t->post_ok("$base/tickets/99999/merge" => $auth => json => { ids => [$winner] })->status_is(404);
$t->post_ok("$base/tickets/$winner/merge" => $auth => json => {})->status_is(400);
$simulator->post('merge', { account => 'acme', id => $post->({ comment => { body => 'x' } })->tx->res->json('/ticket/id'), into => $winner });
$post->({ subject => 'Again', comment => { body => 'still' }, via_followup_source_id => $loser })->status_is(201)->json_is('/ticket/via/source/rel', 'follow_up')
  ->json_is('/ticket/via/source/from/ticket_id', $loser)->json_is('/ticket/tags', [qw(closed_by_merge kept)]);
$t->get_ok("$base/tickets/$loser" => $auth)->json_is('/ticket/followup_ids/0', $loser + 3);
$post->({ comment => { body => 'open' }, via_followup_source_id => $winner })->status_is(201)->json_is('/ticket/via/source/rel', undef, 'only a closed ticket has follow-ups');

$simulator->post('settings', { job_delay => 30 });
$t->put_ok("$base/tickets/update_many?ids=$new_id" => $auth => json => { ticket => { priority => 'low' } }) for 1 .. 30;
$t->put_ok("$base/tickets/update_many?ids=$new_id" => $auth => json => { ticket => { priority => 'low' } })->status_is(429);

done_testing;
