package Simulator::Zendesk::Webhooks;

# Zendesk's endpoints of webhooks, and what they send.
#
# The subs become methods of Simulator::Zendesk.

use Mojo::Base -strict, -signatures;
use Digest::SHA qw(hmac_sha256);
use Exporter qw(import);
use Mojo::JSON qw(encode_json);
use Mojo::Util qw(b64_encode);
use Simulator::Vendor qw(fail is_string);

our @EXPORT = qw(webhook_routes webhooks_list webhook webhook_create webhook_update webhook_delete signing_secret ticket_changed);

my $TRIES = 4;    # a refused delivery is sent again three times
my %CHANGED = (
	status => 'status_changed', custom_status_id => 'custom_status_changed', subject => 'subject_changed', priority => 'priority_changed',
	type => 'type_changed', tags => 'tags_changed', assignee_id => 'agent_assignment_changed', group_id => 'group_assignment_changed',
	organization_id => 'organization_changed', requester_id => 'requester_changed', external_id => 'external_id_changed',
	custom_fields => 'custom_field_changed', due_at => 'task_due_at_changed', problem_id => 'problem_link_changed');

sub webhook_routes ($self)
{
	return (
		'GET api/v2/webhooks' => 'webhooks_list',
		'POST api/v2/webhooks' => 'webhook_create',
		'GET api/v2/webhooks/:id' => 'webhook',
		'PATCH api/v2/webhooks/:id' => 'webhook_update',
		'PUT api/v2/webhooks/:id' => 'webhook_update',
		'DELETE api/v2/webhooks/:id' => 'webhook_delete',
		'GET api/v2/webhooks/:id/signing_secret' => 'signing_secret');
}

sub _the_webhook ($self, $q)
{
	$self->need_admin($q);
	return $q->{a}->webhooks->{ $q->{p}{id} } // fail(404, { errors => [ { code => 'NotFound', title => 'Not Found', detail => 'The webhook does not exist' } ] });
}

sub _show ($hook)
{
	return { map { $_ => $hook->{$_} } grep { $_ ne 'secret' } keys %$hook };
}

sub webhooks_list ($self, $q)
{
	my $hooks = $q->{a}->webhooks;

	$self->need_admin($q);
	return (200, { webhooks => [ map { _show($hooks->{$_}) } sort keys %$hooks ], meta => { has_more => Mojo::JSON->false }, links => {} });
}

sub webhook ($self, $q)
{
	return (200, { webhook => _show(_the_webhook($self, $q)) });
}

# The properties of a request, checked.
sub _given ($self, $q, $old)
{
	my $given = ref $self->body($q) eq 'HASH' ? $self->body($q)->{webhook} : undef;
	my $refuse = sub ($text) { fail(400, { errors => [ { code => 'InvalidAttribute', title => 'Bad Request', detail => $text } ] }) };
	my %hook = %$old;

	$refuse->('webhook is missing') if ref $given ne 'HASH';
	@hook{ grep { exists $given->{$_} } qw(name endpoint http_method request_format status subscriptions description) } = 
	  @$given{ grep { exists $given->{$_} } qw(name endpoint http_method request_format status subscriptions description) };
	$refuse->("$_ is missing") for grep { !is_string($hook{$_}) || $hook{$_} eq '' } qw(name endpoint http_method request_format status);
	$refuse->('endpoint is invalid') if $hook{endpoint} !~ m{^https?://[^\s/]+}i;
	$refuse->('status is invalid') if $hook{status} !~ /^(?:active|inactive)\z/;
	$refuse->('subscriptions are invalid')
	  if ref($hook{subscriptions} //= []) ne 'ARRAY' || grep { !is_string($_) || !/^(?:conditional_ticket_events|zen:event-type:[a-z_]+\.[a-z_]+)\z/ } @{ $hook{subscriptions} };
	return \%hook;
}

sub webhook_create ($self, $q)
{
	$self->need_admin($q);
	my $account = $q->{a};
	my $now = $self->clock->iso;
	my $hook = _given($self, $q, {});

	@$hook{qw(id created_at created_by updated_at updated_by secret)} = (
		sprintf('01H%023X', $account->new_id), $now, "$q->{user}{id}", $now, "$q->{user}{id}", b64_encode(join('', map { chr int rand 256 } 1 .. 32), ''));
	$account->webhooks->{ $hook->{id} } = $hook;
	$self->wrote($q, 'create_webhook', $hook->{id}, 201);
	return (201, { webhook => _show($hook) });
}

# PATCH changes what is given, PUT replaces the whole.
sub webhook_update ($self, $q)
{
	my $old = _the_webhook($self, $q);
	my %kept = map { $_ => $old->{$_} } qw(id created_at created_by updated_by secret);
	my $hook = _given($self, $q, $q->{method} eq 'PUT' ? \%kept : $old);

	$hook->{updated_at} = $self->clock->iso;
	$q->{a}->webhooks->{ $hook->{id} } = $hook;
	$self->wrote($q, 'update_webhook', $hook->{id}, 204);
	return (204);
}

sub webhook_delete ($self, $q)
{
	my $hook = _the_webhook($self, $q);

	delete $q->{a}->webhooks->{ $hook->{id} };
	$self->wrote($q, 'delete_webhook', $hook->{id}, 204);
	return (204);
}

sub signing_secret ($self, $q)
{
	return (200, { signing_secret => { algorithm => 'SHA256', secret => _the_webhook($self, $q)->{secret} } });
}

# A ticket was made or changed: an event for each of its properties.
sub ticket_changed ($self, $account, $ticket, $changes)
{
	my @hooks = grep { $_->{status} eq 'active' } values %{ $account->webhooks } or return;

	for my $change (@$changes)
	{
		my $name = $change->{field_name} // '';
		my ($old, $new) = @$change{qw(previous_value value)};
		my $event = $change->{type} eq 'Comment' ? 'comment_added'
		  : $change->{type} eq 'Create' ? 'created'
		  : $change->{type} eq 'CommentPrivacyChange' ? 'comment_made_private'
		  : $change->{type} eq 'CommentRedactionEvent' ? 'comment_redacted'
		  : $change->{type} eq 'Forget' ? 'permanently_deleted'
		  : $change->{type} eq 'TicketMerge' ? 'merged'
		  : $name eq 'status' && $new eq 'deleted' ? 'soft_deleted'
		  : $name eq 'status' && $old eq 'deleted' ? 'undeleted'
		  : $CHANGED{$name} // next;
		_deliver($self, $account, $_, "zen:event-type:ticket.$event", $ticket, { current => $new, previous => $old })
		  for grep { my $hook = $_; grep { $_ eq "zen:event-type:ticket.$event" } @{ $hook->{subscriptions} } } @hooks;
	}
}

sub _deliver ($self, $account, $hook, $type, $ticket, $event)
{
	my $time = $self->clock->iso;
	my $n = $account->new_id;
	my $body = encode_json({
		type => $type, account_id => 1, id => sprintf('event-%015d', $n), time => $time, zendesk_event_version => '2022-11-06', subject => "zen:ticket:$ticket->{id}",
		detail => { id => "$ticket->{id}", status => uc $ticket->{status}, subject => $ticket->{subject}, updated_at => $ticket->{updated_at} }, event => $event });

	$self->webhooks->send(
		vendor => 'zendesk', account => $account->subdomain, webhook => $hook->{id}, event => $type, object => "$ticket->{id}",
		url => $hook->{endpoint}, body => $body, tries => $TRIES, answered => sub { 0 },
		sign => sub ($bytes, $forged) {
			my $at = $self->clock->iso;
			return {
				'X-Zendesk-Webhook-Id' => $hook->{id}, 'X-Zendesk-Webhook-Invocation-Id' => sprintf('01I%023X', $n), 'X-Zendesk-Account-Id' => 1,
				'X-Zendesk-Webhook-Signature-Timestamp' => $at,
				'X-Zendesk-Webhook-Signature' => b64_encode(hmac_sha256($at . $bytes, $forged ? 'not the secret' : $hook->{secret}), '') };
		});
}

1;
