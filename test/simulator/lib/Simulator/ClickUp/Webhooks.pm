package Simulator::ClickUp::Webhooks;

# ClickUp's endpoints of webhooks, their health, and what they send.
#
# The subs become methods of Simulator::ClickUp.

use Mojo::Base -strict, -signatures;
use Digest::SHA qw(hmac_sha256_hex);
use Exporter qw(import);
use Mojo::JSON qw(encode_json);
use Simulator::Vendor qw(fail is_string);

our @EXPORT = qw(webhook_routes webhooks_list webhook_create webhook_update webhook_delete task_changed);

my $TRIES = 5;    # of one delivery, before it counts as failed
my $SUSPENDED_AT = 100;    # failed deliveries
my %EVENTS = map { $_ => 1 } (
	(map { "task$_" } qw(Created Updated Deleted PriorityUpdated StatusUpdated AssigneeUpdated DueDateUpdated TagUpdated Moved CommentPosted CommentUpdated TimeEstimateUpdated TimeTrackedUpdated)),
	map { my $of = $_; map { "$of$_" } qw(Created Updated Deleted) } qw(list folder space goal keyResult));
my @PLACES = qw(space_id folder_id list_id task_id);

sub webhook_routes ($self)
{
	return (
		'GET api/v2/team/:team_id/webhook' => 'webhooks_list',
		'POST api/v2/team/:team_id/webhook' => 'webhook_create',
		'PUT api/v2/webhook/:webhook_id' => 'webhook_update',
		'DELETE api/v2/webhook/:webhook_id' => 'webhook_delete');
}

# Only the reply to its creation shows the secret of a webhook.
sub _show ($hook, $with_secret = 0)
{
	return { map { $_ => $hook->{$_} } grep { $with_secret || $_ ne 'secret' } keys %$hook };
}

# A user sees the webhooks that were made with his token.
sub webhooks_list ($self, $q)
{
	my $workspace = $self->the_workspace($q);
	my @own = grep { $_->{userid} == $q->{user} } map { $workspace->webhooks->{$_} } sort keys %{ $workspace->webhooks };

	return (200, { webhooks => [ map { _show($_) } @own ] });
}

sub _events ($given)
{
	my $events = is_string($given) ? [$given] : $given;

	fail(400, { err => 'Events invalid', ECODE => 'INPUT_000' }) if ref $events ne 'ARRAY' || !@$events || grep { !is_string($_) || $_ ne '*' && !$EVENTS{$_} } @$events;
	return $events;
}

sub _body ($self, $q)
{
	my $body = $self->body($q);

	$self->bad_json if ref $body ne 'HASH';
	fail(400, { err => 'Endpoint invalid', ECODE => 'INPUT_000' }) if ($body->{endpoint} // '') !~ m{^https?://[^\s/]+}i;
	return $body;
}

sub webhook_create ($self, $q)
{
	my $workspace = $self->the_workspace($q);
	my $body = _body($self, $q);
	my $events = _events($body->{events});
	my $n = ++$workspace->{webhooks_made};

	fail(400, { err => 'Webhook configuration already exists', ECODE => 'OAUTH_171' }) if grep { $_->{endpoint} eq $body->{endpoint} } values %{ $workspace->webhooks };
	my $hook = {
		id => sprintf('4b67ac88-e506-4a29-%04x-%012x', $workspace->id % 65536, $n), userid => $q->{user}, team_id => 0 + $workspace->id,
		endpoint => $body->{endpoint}, client_id => 'simulator', events => $events, (map { $_ => $body->{$_} } @PLACES),
		health => { status => 'active', fail_count => 0 }, secret => join '', map { (0 .. 9, 'A' .. 'Z')[ rand 36 ] } 1 .. 64 };
	$workspace->webhooks->{ $hook->{id} } = $hook;
	$self->wrote($q, 'create_webhook', $hook->{id}, 200);
	return (200, { id => $hook->{id}, webhook => _show($hook, 1) });
}

sub _the_webhook ($self, $q)
{
	my ($workspace, $hook) = $self->_place($q, 'webhooks', $q->{p}{webhook_id});

	fail(404, { err => 'Webhook not found', ECODE => 'WEBHOOK_001' }) if !$hook || $hook->{userid} != $q->{user};
	return ($workspace, $hook);
}

# status "active" ends a suspension.
sub webhook_update ($self, $q)
{
	my ($workspace, $hook) = _the_webhook($self, $q);
	my $body = _body($self, $q);

	$hook->{events} = _events($body->{events});
	$hook->{endpoint} = $body->{endpoint};
	$hook->{health} = { status => 'active', fail_count => 0 } if ($body->{status} // '') eq 'active';
	$self->wrote($q, 'update_webhook', $hook->{id}, 200);
	return (200, { id => $hook->{id}, webhook => _show($hook) });
}

sub webhook_delete ($self, $q)
{
	my ($workspace, $hook) = _the_webhook($self, $q);

	delete $workspace->webhooks->{ $hook->{id} };
	$self->wrote($q, 'delete_webhook', $hook->{id}, 200);
	return (200, {});
}

# Something happened to a task: $events are pairs of event and history item.
sub task_changed ($self, $workspace, $task, $events)
{
	my @hooks = grep { $_->{health}{status} ne 'suspended' } values %{ $workspace->webhooks } or return;

	for my $pair (@$events)
	{
		my ($event, $item) = @$pair;
		_deliver($self, $workspace, $_, $event, $task, $item) for grep { _wants($workspace, $_, $event, $task) } @hooks;
	}
}

sub _wants ($workspace, $hook, $event, $task)
{
	my $list = $task->{list};
	my %place = (task_id => $task->{id}, list_id => $list->{id}, folder_id => ($list->{folder} // {})->{id}, space_id => $list->{space}{id});

	return 0 if !grep { $_ eq '*' || $_ eq $event } @{ $hook->{events} };
	return !grep { defined $hook->{$_} && $hook->{$_} ne ($place{$_} // '') } @PLACES;
}

sub _deliver ($self, $workspace, $hook, $event, $task, $item)
{
	my $body = encode_json({
		event => $event, task_id => $task->{id}, webhook_id => $hook->{id},
		$event eq 'taskDeleted' ? () : (history_items => [ { %$item, type => 1, date => '' . $self->clock->ms, parent_id => $task->{list}{id}, source => undef } ]) });

	$self->webhooks->send(
		vendor => 'clickup', account => $workspace->name, webhook => $hook->{id}, event => $event, object => $task->{id},
		url => $hook->{endpoint}, body => $body, tries => $TRIES,
		answered => sub ($status, $last) { _answered($hook, $status, $last) },
		sign => sub ($bytes, $forged) { return { 'X-Signature' => hmac_sha256_hex($bytes, $forged ? 'not the secret' : $hook->{secret}) } });
}

# The health after an answer; true: this delivery is given up.
sub _answered ($hook, $status, $last)
{
	my $health = $hook->{health};

	if ($status >= 200 && $status < 300)
	{
		@$health{qw(status fail_count)} = ('active', 0) if $health->{status} ne 'suspended';
	}
	elsif ($status == 401 || $status == 410)
	{
		$health->{status} = 'suspended';
		$health->{fail_count}++;
	}
	elsif ($last && $health->{status} ne 'suspended')
	{
		$health->{status} = ++$health->{fail_count} >= $SUSPENDED_AT ? 'suspended' : 'failing';
	}
	return $health->{status} eq 'suspended';
}

1;
