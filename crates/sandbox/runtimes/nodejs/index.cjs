// Entry of the Node runtime: what the engine starts as /var/runtime/index.cjs.
'use strict';

// A function sees no main module at AWS, where the entry is an ES module; `require.main === module`
// must stay false and `require.main` undefined.
process.mainModule = undefined;

require('./runtime.cjs').main(process.env);
