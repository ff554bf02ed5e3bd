package Webhooks;

# Deliveries of webhooks as the vendors make them, signed.
#
#	my ($headers, $body) = Webhooks::zendesk('secret', $ticket_id);
#	my ($headers, $body) = Webhooks::clickup('secret', $task_id, event => 'taskCreated');
#	my ($headers, $body) = Webhooks::halopsa('secret', $ticket_id);
#	my $sql = Webhooks::call('acme', $headers, $body);	# a call of receive_webhook()
#
# Each delivery has an id of its own unless it is given.  One that is sent again has the
# same body, whenever that is: only the signature has another time.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use POSIX qw(strftime);

my $json = JSON::PP->new->canonical;
my $number = 0;

sub zendesk
{
	my ($secret, $ticket, %options) = @_;
	my $id = $options{id} // sprintf 'invocation-%06d', ++$number;
	my $time = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($options{time} // time));
	my $body = $json->encode({ type => 'zen:event-type:ticket.' . ($options{event} // 'status_changed'), account_id => 1, id => "event-$id",
		time => '2026-11-28T10:00:00Z', zendesk_event_version => '2022-11-06', subject => "zen:ticket:$ticket", detail => { id => "$ticket", status => 'OPEN' },
		event => { current => 'OPEN', previous => 'NEW' } });

	return ({ 'X-Zendesk-Webhook-Id' => 'webhook-1', 'X-Zendesk-Webhook-Invocation-Id' => $id,
		'X-Zendesk-Webhook-Signature-Timestamp' => $time, 'X-Zendesk-Webhook-Signature' => encode_base64(hmac_sha256($time . $body, $secret), '') }, $body);
}

sub clickup
{
	my ($secret, $task, %options) = @_;
	my $id = $options{id} // sprintf 'history-%06d', ++$number;
	my $body = $json->encode({ event => $options{event} // 'taskUpdated', task_id => "$task", webhook_id => 'webhook-2',
		history_items => [ { id => $id, type => 1, date => '1642734631523', field => 'status', before => undef, after => undef } ] });

	return ({ 'X-Signature' => hmac_sha256_hex($body, $secret) }, $body);
}

sub halopsa
{
	my ($secret, $ticket, %options) = @_;
	my $id = $options{id} // sprintf 'event-%06d', ++$number;
	my $body = $json->encode({ id => $id, event => $options{event} // 'Ticket Updated', webhook_id => 'webhook-3', object_id => $ticket,
		timestamp => '2026-11-28T10:00:00Z' });

	return ({ 'Authorization' => "Bearer $secret" }, $body);
}

sub call
{
	my ($account, $headers, $body) = @_;

	return sprintf "SELECT status FROM zcsync.receive_webhook('%s', '%s', convert_to('%s', 'UTF8'));", $account,
	  map { s/'/''/gr } $json->encode($headers), $body;
}

1;
