# The layout of C files, as far as a look at lines tells: what pgindent would
# make of them but for long lines, which Debian does not have (clang-format can align neither the
# names of declarations nor macros as it does).  Needs no server:
#
#	perl test/t/075_c_style.pl

use strict;
use warnings;
use FindBin;
use Test::More;

my $ROOT = "$FindBin::Bin/../..";

# The column at which a line ends, with tabs of four.
sub width
{
	my ($line) = @_;
	my $column = 0;

	$column += $_ eq "\t" ? 4 - $column % 4 : 1 foreach split //, $line;
	return $column;
}

# What is wrong with the layout of a file, as "line: fault".
sub faults
{
	my ($text) = @_;
	my (@faults, $in_comment);
	my @lines = split /\n/, $text, -1;
	my $number = 0;

	push @faults, 'end: no newline at the end' if pop @lines ne '';
	push @faults, 'end: an empty line at the end' if @lines && $lines[-1] eq '';
	foreach my $index (0 .. $#lines)
	{
		my $line = $lines[$index];
		my $fault = sub { push @faults, $index + 1 . ": $_[0]" };

		$fault->('blanks at the end') if $line =~ /\s$/;
		$fault->('indented by blanks') if $line =~ /^\t* {4}/;
		$fault->('a tab after a blank') if $line =~ /^\t* +\t/;
		$fault->('longer than 92 columns') if width($line) > 92 && $line !~ /"/;
		$in_comment = 1 if $line =~ m{/\*};
		if ($in_comment)
		{
			$in_comment = 0 if $line =~ m{\*/};
			next if $line =~ m{^\s*(?:/?\*|[^;{}]*\*/$)};
		}
		(my $code = $line) =~ s/"(?:[^"\\]|\\.)*"/""/g;
		$fault->('a // comment') if $code =~ m{//};
		$fault->('no blank after a keyword') if $code =~ /\b(?:if|for|while|switch|return)\(/;
		$fault->('a blank before a parenthesis of a call') if $code =~ /^\t+(?!if|for|while|switch|return|else|case|sizeof|typedef|static|extern|const|struct)\w+ \((?![*])/ && $code !~ /=|\*/;
		$fault->('a brace that is not on its own line') if $code =~ /\)\s*\{$|\belse\s*\{|\}\s*else\b|\bdo\s*\{$/;
		$fault->('a return type that is not on its own line')
		  if $code =~ /^[a-z][\w ]*[ *]\w+\(.*\)$/ && ($lines[ $index + 1 ] // '') eq '{' && $code !~ /^(?:PG_|typedef)/;
		# names of variables and members stand three tabs after the indentation
		if ($code =~ /^(\t+)((?:static |const |volatile |unsigned |struct )*\w+)([ \t]+)(\**)(\w+)(?:\[[^\]]*\])*(?: = |(?::\d+)?;)/ && $2 !~ /^(?:return|goto|case|else|typedef|break|continue|extern)$/)
		{
			my ($tabs, $type, $gap, $stars) = ($1, $2, $3, $4);
			my $at = width("$tabs$type$gap$stars") - 4 * length $tabs;

			$fault->("\"$type\" is not aligned with the name of what it declares")
			  unless $at == 12 || ($at > 12 && $gap eq ' ');
		}
	}
	return @faults;
}

is(join("\n", faults(<<'C')), <<'FAULTS' =~ s/\n$//r, 'faults are seen');
int f(void)
{
	char *a;
	int			b = g ("x // y");
    if(b) {
	h (b); // z
	}
	} else
	return "a very long string may be, a very long string may be, a very long string may be";
	/* a very long comment may not be, a very long comment may not be, a very long comment may not */
}
C
1: a return type that is not on its own line
3: "char" is not aligned with the name of what it declares
5: indented by blanks
5: no blank after a keyword
5: a brace that is not on its own line
6: a // comment
6: a blank before a parenthesis of a call
8: a brace that is not on its own line
10: longer than 92 columns
FAULTS

my @files = sort map { glob "$ROOT/$_" } qw(src/*.c src/*.h src/door/*.c src/door/*.h test/unit/*.c test/unit/*.h);
cmp_ok(scalar @files, '>', 50, 'there are C files');
foreach my $path (@files)
{
	open my $handle, '<', $path or die "could not open $path: $!";
	local $/;
	my $text = <$handle>;
	my @faults = faults($text);

	# From PostgreSQL 16 on these have a header of their own, which compat.h includes.
	push @faults, 'texts are read without compat.h' if $text =~ /\bVAR(?:DATA|SIZE)_ANY|\bSET_VARSIZE/ && $text !~ /#include "compat\.h"/;
	ok(!@faults, substr $path, length "$ROOT/") or diag(map { "    $_\n" } @faults);
}

done_testing();
