# Webhooks: how they are registered at each vendor, what is sent when a record
# changes, how it is signed, and what becomes of deliveries that are refused.

use Mojo::Base -strict, -signatures;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use Mojo::IOLoop;
use Mojo::JSON qw(decode_json);
use Mojo::Server::Daemon;
use Mojo::Util qw(b64_encode);
use Mojolicious;
use Simulator::Process;
use Test::Mojo;
use Test::More;
use Time::HiRes qw(time);

my $simulator = Simulator::Process->start('--tickets', 10, '--tasks', 40, '--clickup-plan', 'none');
my $t = Test::Mojo->new;
my ($zendesk, $clickup, $halopsa) = ($simulator->zendesk . '/api/v2/webhooks', $simulator->clickup . '/api/v2', $simulator->halopsa . '/api/webhook');
my $admin = { Authorization => 'Basic ' . b64_encode('admin@acme.example/token:token-acme', '') };
my $dev = { Authorization => 'pk_183_DEV' };

# What receives: the path says with which status it answers.
my @received;
my $app = Mojolicious->new(secrets => ['test']);
$app->log->level('fatal');
$app->routes->post('/:answer' => sub ($c) {
	push @received, { path => $c->req->url->path->to_string, headers => $c->req->headers->to_hash, body => $c->req->body };
	$c->render(text => '', status => $c->param('answer'));
});
my $daemon = Mojo::Server::Daemon->new(app => $app, listen => ['http://127.0.0.1'], silent => 1)->start;
my $door = 'http://127.0.0.1:' . $daemon->ports->[0];

# Receive until nothing is under way any more; returns what came since the last time.
# Some may have come already, while a request of ours waited for its answer.
sub receive ()
{
	my $deadline = time + 60;

	do
	{
		my $until = time + 0.1;
		my $timer = Mojo::IOLoop->recurring(0.02 => sub { });
		Mojo::IOLoop->one_tick while time < $until;
		Mojo::IOLoop->remove($timer);
	} while (time < $deadline && $simulator->get('deliveries')->{pending});
	my @came = splice @received;
	return @came;
}

my $number = 0;
my $edit = sub (%more) { $simulator->post('edit', { account => 'acme', id => 1, fields => { subject => 'Changed ' . ++$number }, %more }); return receive };
my $edit_task = sub ($id) { $simulator->post('edit', { workspace => 'dev', id => $id, fields => { name => 'Changed ' . ++$number } }); return receive };

# ---------------------------------------------------------------------
# Zendesk
# ---------------------------------------------------------------------
my %hook = (name => 'test', endpoint => "$door/200", http_method => 'POST', request_format => 'json', status => 'active',
	subscriptions => [ 'zen:event-type:ticket.subject_changed', 'zen:event-type:ticket.created', 'zen:event-type:ticket.soft_deleted' ]);
$t->post_ok($zendesk => $admin => json => { webhook => { %hook, endpoint => undef } })->status_is(400)->json_has('/errors/0/detail');
$t->post_ok($zendesk => $admin => json => { webhook => { %hook, subscriptions => ['nonsense'] } })->status_is(400);
$t->post_ok($zendesk => $admin => json => { webhook => \%hook })->status_is(201)->json_is('/webhook/status', 'active')->json_hasnt('/webhook/secret');
my $id = $t->tx->res->json('/webhook/id');
$t->get_ok($zendesk => $admin)->status_is(200)->json_is('/webhooks/0/id', $id)->json_hasnt('/webhooks/0/secret');
$t->get_ok("$zendesk/$id/signing_secret" => $admin)->status_is(200);
my $secret = $t->tx->res->json('/signing_secret/secret');
$t->get_ok("$zendesk/nothing/signing_secret" => $admin)->status_is(404);

my ($one, @more) = $edit->();
is scalar @more, 0, 'one delivery';
my $at = $one->{headers}{'X-Zendesk-Webhook-Signature-Timestamp'};
is $one->{headers}{'X-Zendesk-Webhook-Signature'}, b64_encode(hmac_sha256($at . $one->{body}, $secret), ''), 'signed over time and body';
is decode_json($one->{body})->{detail}{id}, '1', 'it names the ticket';
is decode_json($one->{body})->{event}{current}, "Changed $number", 'and what it has now';
is scalar $edit->(fields => { priority => 'urgent' }), 0, 'nothing for an event that nobody subscribed to';
$t->put_ok($simulator->zendesk . '/api/v2/tickets/2' => $admin => json => { ticket => { subject => 'By the API' } })->status_is(200);
is scalar(receive()), 1, 'a change by the API';
my $new = $simulator->post('create', { account => 'acme', fields => { subject => 'New' } })->{id};
like +(receive())[0]{body}, qr/ticket\.created/, 'a new ticket';
$simulator->post('delete', { account => 'acme', id => $new });
like +(receive())[0]{body}, qr/ticket\.soft_deleted/, 'a deleted one';

$simulator->post('webhook_trouble', { retry_ms => 20 });
$t->patch_ok("$zendesk/$id" => $admin => json => { webhook => { endpoint => "$door/503" } })->status_is(204);
my @tries = $edit->();
is scalar @tries, 4, 'a refused delivery is sent again three times';
is keys %{ { map { $_->{headers}{'X-Zendesk-Webhook-Invocation-Id'} => 1 } @tries } }, 1, 'with the same id';
is_deeply $simulator->get('deliveries', vendor => 'zendesk')->{deliveries}[-1]{status}, [ 503, 503, 503, 503 ], 'the log has the answers';
$t->patch_ok("$zendesk/$id" => $admin => json => { webhook => { endpoint => "$door/200", status => 'inactive' } })->status_is(204);
is scalar $edit->(), 0, 'an inactive webhook sends nothing';
$t->patch_ok("$zendesk/$id" => $admin => json => { webhook => { status => 'active' } })->status_is(204);

# ---------------------------------------------------------------------
# Troubles
# ---------------------------------------------------------------------
my @tickets = (1) x 60;
my $edits = sub { $simulator->post('edits', [ map { { account => 'acme', id => $_, fields => { subject => 'Changed ' . ++$number } } } @tickets ]); return receive };
my $last = sub { my $seq = 0; return map { decode_json($_->{body})->{event}{current} =~ /(\d+)/ } @_ };
$simulator->post('webhook_trouble', { duplicates => 0.3, seed => 7 });
my $doubled = scalar $edits->();
ok $doubled > 66 && $doubled < 100, "three in ten come twice ($doubled of 60)";
$simulator->post('webhook_trouble', { duplicates => 0, forged => 0.3 });
my @forged = grep { $_->{headers}{'X-Zendesk-Webhook-Signature'} ne b64_encode(hmac_sha256($_->{headers}{'X-Zendesk-Webhook-Signature-Timestamp'} . $_->{body}, $secret), '') } $edits->();
ok @forged > 6 && @forged < 40, 'three in ten are followed by a forged one (' . @forged . ' of 60)';
$simulator->post('webhook_trouble', { forged => 0, reorder => 0.5 });
my @order = $last->($edits->());
isnt "@order", join(' ', sort { $a <=> $b } @order), 'out of order';
$simulator->post('webhook_trouble', { reorder => 0, lost => 1 });
is scalar $edits->(), 0, 'lost';
$simulator->post('webhook_trouble', { lost => 0 });
ok !eval { $simulator->post('webhook_trouble', { nonsense => 1 }); 1 }, 'an unknown trouble is refused';
$t->delete_ok("$zendesk/$id" => $admin)->status_is(204);
is scalar $edit->(), 0, 'a removed webhook sends nothing';

# ---------------------------------------------------------------------
# ClickUp
# ---------------------------------------------------------------------
my $team = "$clickup/team/9001001/webhook";
my @tasks = map { $_->{id} } grep { $_->{list}{name} eq 'Bugs' && $_->{status}{status} ne 'complete' } @{ $simulator->get('state/tasks', workspace => 'dev')->{tasks} };
$t->post_ok($team => $dev => json => { endpoint => "$door/200", events => ['nonsense'] })->status_is(400);
$t->post_ok($team => $dev => json => { endpoint => "$door/200", events => '*' })->status_is(200)->json_is('/webhook/health/status', 'active')
  ->json_like('/webhook/secret', qr/^\w{64}$/);
($id, $secret) = map { $t->tx->res->json("/webhook/$_") } qw(id secret);
$t->post_ok($team => $dev => json => { endpoint => "$door/200", events => '*' })->status_is(400)->json_is('/ECODE', 'OAUTH_171');
$t->get_ok($team => $dev)->status_is(200)->json_is('/webhooks/0/id', $id)->json_hasnt('/webhooks/0/secret');
$t->get_ok($team => { Authorization => 'pk_184_OPS' })->status_is(401);
($one, @more) = $edit_task->($tasks[0]);
is scalar @more, 0, 'one delivery';
is $one->{headers}{'X-Signature'}, hmac_sha256_hex($one->{body}, $secret), 'signed over the body';
is decode_json($one->{body})->{task_id}, $tasks[0], 'it names the task';
$simulator->post('edit', { workspace => 'dev', id => $tasks[0], fields => { status => 'complete' } });
is_deeply [ sort map { decode_json($_->{body})->{event} } receive ], [qw(taskStatusUpdated taskUpdated)], 'a change of the status has a twin';
$simulator->post('touch', { workspace => 'dev', id => $tasks[0] });
my @comment = map { decode_json($_->{body}) } receive;
is_deeply [ sort map { $_->{event} } @comment ], [qw(taskCommentPosted taskUpdated)], 'a comment, too';
is $comment[0]{history_items}[0]{id}, $comment[1]{history_items}[0]{id}, 'with the same id of its history';
is decode_json((grep { $_->{body} =~ /CommentPosted/ } map { { body => Mojo::JSON::encode_json($_) } } @comment)[0]{body})->{history_items}[0]{comment}{text_content}, 'An agent was here.', 'and the text';
$simulator->post('delete', { workspace => 'dev', id => $tasks[1] });
my ($gone) = receive;
ok !exists decode_json($gone->{body})->{history_items}, 'a deleted task has no history';

my $health = sub { return $t->get_ok($team => $dev)->tx->res->json('/webhooks/0/health') };
$t->put_ok("$clickup/webhook/$id" => $dev => json => { endpoint => "$door/503", events => ['taskUpdated'], status => 'active' })->status_is(200)->json_hasnt('/webhook/secret');
is scalar $edit_task->($tasks[2]), 5, 'a refused delivery is tried five times';
is_deeply $health->(), { status => 'failing', fail_count => 1 }, 'then it counts';
$t->put_ok("$clickup/webhook/$id" => $dev => json => { endpoint => "$door/200", events => ['taskUpdated'] })->status_is(200);
$edit_task->($tasks[2]);
is_deeply $health->(), { status => 'active', fail_count => 0 }, 'a success ends that';
for my $status (401, 410)
{
	$t->put_ok("$clickup/webhook/$id" => $dev => json => { endpoint => "$door/$status", events => ['taskUpdated'], status => 'active' })->status_is(200);
	is scalar $edit_task->($tasks[2]), 1, "$status is not tried again";
	is $health->()->{status}, 'suspended', 'and suspends at once';
}
is scalar $edit_task->($tasks[2]), 0, 'a suspended webhook sends nothing';
$simulator->post('edit_webhook', { id => $id, fields => { health => { status => 'failing', fail_count => 99 } } });
$t->put_ok("$clickup/webhook/$id" => $dev => json => { endpoint => "$door/500", events => ['taskUpdated'] })->status_is(200);
$edit_task->($tasks[2]);
is_deeply $health->(), { status => 'suspended', fail_count => 100 }, 'as does the hundredth failure';
$t->delete_ok("$clickup/webhook/$id" => $dev)->status_is(200)->json_is({});
$t->get_ok($team => $dev)->json_is('/webhooks', []);

# ---------------------------------------------------------------------
# HaloPSA
# ---------------------------------------------------------------------
$t->post_ok($simulator->halopsa . '/auth/token?tenant=acme' => form => { grant_type => 'client_credentials', client_id => 'client-acme', client_secret => 'secret-acme', scope => 'all' })->status_is(200);
my $halo = { Authorization => 'Bearer ' . $t->tx->res->json('/access_token') };
$t->post_ok($halopsa => $halo => json => { url => "$door/200" })->status_is(400, 'an array, as everywhere');
$t->post_ok($halopsa => $halo => json => [ { name => 'test', url => "$door/200", username => 'zcsync', password => 'long-secret' } ])->status_is(201)->json_hasnt('/password');
$t->get_ok($halopsa => $halo)->status_is(200)->json_is('/0/url', "$door/200");
my ($ticket) = map { $_->{id} } @{ $simulator->get('state/halopsa/tickets')->{tickets} };
$simulator->post('touch', { vendor => 'halopsa', id => $ticket });
($one) = receive;
is $one->{headers}{Authorization}, 'Basic ' . b64_encode('zcsync:long-secret', ''), 'Basic authentication, no signature';
is decode_json($one->{body})->{object_id}, $ticket, 'it names the ticket';
ok decode_json($one->{body})->{action}{id}, 'and the action';

# ---------------------------------------------------------------------
# Loopback only
# ---------------------------------------------------------------------
$t->post_ok($zendesk => $admin => json => { webhook => { %hook, endpoint => 'http://192.0.2.1/x' } })->status_is(201);
is scalar $edit->(), 0, 'nothing comes';
is_deeply $simulator->get('deliveries', vendor => 'zendesk')->{deliveries}[-1]{status}, [ 0, 0, 0, 0 ], 'a delivery to another host is not sent';

done_testing;
