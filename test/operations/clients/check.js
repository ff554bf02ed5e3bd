// Print a line for each check, which the test turns into one of its own.
'use strict';

const util = require('node:util');

function is(got, expected, name) {
	if (util.isDeepStrictEqual(got, expected)) console.log(`ok ${name}`);
	else console.log(`not ok ${name}: got ${util.inspect(got)}, expected ${util.inspect(expected)}`);
}

// The steps, to their end; what they throw fails.
function run(steps) {
	steps().then(() => console.log('done'), (error) => {
		console.log(`not ok it stopped: ${error.stack} ${util.inspect(error.response && error.response.body)}`);
		process.exitCode = 1;
	});
}

module.exports = { is, run };
